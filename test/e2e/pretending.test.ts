import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { openChromium } from '../support/chromium.ts';
import { curl } from '../support/commands.ts';
import { fixture, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { withProgram } from '../support/program.ts';
import { servePage } from '../support/site.ts';
import { WebPeer } from '../support/webpeer.ts';

// Pages on the machine of the daemon, whose address it trusts: none of them may be taken for a backend (PROTOCOL.md §2).

const withCurl = withProgram('curl', 'curl');
const withChromium = withProgram('chromium', 'chromium');
const BROADCAST = '{"opcode":"broadcast","message":"forged"}';

let daemon: RunningDaemon;
/** It would hear what a forged request brings about. */
let witness: WebPeer;
beforeAll(async () => {
  daemon = await startDaemon({ extra: { 'lab.js': fixture('resources/lab.js') } });
  witness = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/`);
});
afterAll(async () => {
  await witness.close();
  await daemon.dispose();
});

const at = (path = '/php'): string => `http://127.0.0.1:${daemon.port}${path}`;

describe('a POST', () => {
  // What a page can send without being asked first (Fetch, CORS-safelisted): forms, and text that is JSON.
  const bodies = [
    ['-d', 'opcode=broadcast&message=forged'],
    ['-d', BROADCAST],
    ['-H', 'Content-Type: text/plain', '-d', BROADCAST],
    ['-H', 'Content-Type: text/plain', '-d', '{"opcode":"broadcast","x":"="}\r\n'],
    ['-F', 'opcode=broadcast'],
    ['-H', 'Content-Type:', '-d', BROADCAST],
    ['-H', 'Content-Type: text/ping', '-d', BROADCAST],
    ['-H', 'Content-Type: application/csp-report', '-d', BROADCAST],
  ];
  const pages = [
    ['Origin: https://evil.example'],
    ['Origin: null'],
    ['Origin: http://localhost:3000'], // an allowed page: it may connect, its address is worth nothing
    ['Origin: same'],
    ['Origin: *'],
    ['Origin: http://localhost:3000', 'Origin: https://evil.example'],
    ['Origin;', 'Sec-Fetch-Site: cross-site'],
    ['Sec-Fetch-Site: cross-site'],
    ['Sec-Fetch-Site: CROSS-SITE'],
    ['Sec-Fetch-Site: same-site'],
    ['Sec-Fetch-Site: same-origin'],
    ['Sec-Fetch-Site: none'],
    ['Sec-Fetch-Site;'],
    ['Origin: http://localhost:3000', 'Client-Type: php', 'Ident: job'],
    ['Origin: null', 'X-Forwarded-For: 127.0.0.1'],
  ];

  for (const headers of pages) {
    withCurl(`with ${headers.join(' and ')}`, async () => {
      const shown = headers.flatMap((header) => ['-H', header]);
      for (const body of bodies) {
        const response = await curl(...shown, ...body, at()); // oxlint-disable-line no-await-in-loop
        expect([body, response.status]).toEqual([body, 403]);
        expect(response.json().opcode).toBe('close');
      }
      await witness.nothingElse();
    });
  }

  withCurl(
    'of the same, without a word of a page, is a backend: so the refusals above are not for another reason',
    async () => {
      for (const body of [bodies[0], bodies[1], bodies[2]]) {
        expect((await curl(...body, at())).json()).toMatchObject({ delivered: 1 }); // oxlint-disable-line no-await-in-loop
        expect(await witness.packet()).toMatchObject({ opcode: 'broadcast' }); // oxlint-disable-line no-await-in-loop
      }
    },
  );

  test('by the fetch of Node, which says Sec-Fetch-Mode, is a backend', async () => {
    const response = await fetch(at(), { method: 'POST', body: BROADCAST });
    expect([response.status, await response.json()]).toEqual([200, expect.objectContaining({ delivered: 1 })]);
    expect((await witness.packet()).message).toBe('forged');
  });

  withCurl('is a POST: no other method does anything, whatever it says that it is', async () => {
    const query = `?opcode=broadcast&_method=POST`;
    for (const [status, ...args] of [
      ['404', at(`/php${query}`)],
      ['426', at(`/${query}`)],
      ['405', '-X', 'PUT', '-d', BROADCAST, at()],
      ['405', '-X', 'PATCH', '-d', BROADCAST, at()],
      ['404', '-X', 'GET', '-H', 'X-HTTP-Method-Override: POST', '-d', BROADCAST, at()],
      ['204', '-X', 'OPTIONS', '-d', BROADCAST, at()],
      ['400', '-X', 'post', '-d', BROADCAST, at()],
    ]) {
      expect([args, String((await curl(...args)).status)]).toEqual([args, status]); // oxlint-disable-line no-await-in-loop
    }
    await witness.nothingElse();
  });
});

describe('a web client', () => {
  test('cannot name itself, nor address a name: in pieces, in binary, at whatever path', async () => {
    const named = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/lab?ident=boss`, { headers: { Ident: 'boss' } });
    expect(await named.ask({ opcode: 'me' })).toMatchObject({ kind: 'websocket', ident: '' });
    await named.close();
    for (const path of ['/', '/web']) {
      const web = await WebPeer.open(`ws://127.0.0.1:${daemon.port}${path}`); // oxlint-disable-line no-await-in-loop
      const text = '{"opcode":"feedback","ident":"boss"}';
      const refused = { opcode: 'next', fyi: '', error: 'not allowed' };
      expect(await web.ask(text)).toEqual(refused); // oxlint-disable-line no-await-in-loop
      web.send(Buffer.from(text));
      expect(await web.packet()).toEqual(refused); // oxlint-disable-line no-await-in-loop
      for (const piece of ['bufferON', text.slice(0, 20), text.slice(20), 'bufferOFF']) web.send(piece);
      for (let i = 0; i < 3; i++) expect(await web.packet()).toEqual({ opcode: 'next', fyi: '' }); // oxlint-disable-line no-await-in-loop
      expect(await web.packet()).toEqual(refused); // oxlint-disable-line no-await-in-loop
      await web.close(); // oxlint-disable-line no-await-in-loop
    }
  });
});

/** All that a page can do to send something to `target` without its consent. Returns when all of it is answered. */
const ATTACK = `async (target, body) => {
  const quiet = () => undefined;
  const frame = (set) => new Promise((done) => {
    const frame = document.createElement('iframe');
    frame.onload = done;
    set(frame);
    document.body.append(frame);
  });
  await fetch(target, { method: 'POST', mode: 'no-cors', body }).catch(quiet);
  await fetch(target, { method: 'POST', body }).catch(quiet);
  await fetch(target, { method: 'POST', mode: 'no-cors', referrerPolicy: 'no-referrer', body }).catch(quiet);
  navigator.sendBeacon(target, body);
  for (const enctype of ['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data']) {
    for (const policy of ['', '<meta name="referrer" content="no-referrer">']) {
      const form = '<form method="post" action="' + target + '" enctype="' + enctype + '"><input name="opcode" value="broadcast"></form>';
      await frame((it) => { it.srcdoc = policy + form + '<script>document.forms[0].submit()<' + '/script>'; });
    }
  }
  await new Promise((done) => {
    window.onmessage = done;
    const script = 'fetch("' + target + '", { method: "POST", mode: "no-cors", body: "{}" }).finally(() => parent.postMessage(1, "*"))';
    frame((it) => { it.sandbox = 'allow-scripts'; it.srcdoc = '<script>' + script + '<' + '/script>'; });
  });
  const socket = new WebSocket(target.replace('http', 'ws'));
  return new Promise((done) => { socket.onmessage = () => done('in'); socket.onclose = () => done('out'); });
}`;

describe('a page in Chromium, on the very machine of the daemon', () => {
  let browser: Awaited<ReturnType<typeof openChromium>> | undefined;
  let site: Awaited<ReturnType<typeof servePage>>;
  beforeAll(async () => {
    site = await servePage('<!doctype html><body>');
    // Where it is missing, the tests are skipped or fail by themselves.
    browser = await openChromium().catch(() => undefined);
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await site.close();
  });

  withChromium('has many ways to send something to /php, and none that is taken for a backend', async () => {
    for (const host of ['localhost', '127.0.0.1']) {
      const from = daemon.out.length;
      const page = (await browser?.context.newPage()) as Page; // oxlint-disable-line no-await-in-loop
      await page.goto(`http://${host}:${site.port}/`); // oxlint-disable-line no-await-in-loop
      const body = JSON.stringify(BROADCAST);
      // oxlint-disable-next-line no-await-in-loop
      expect(await page.evaluate(`(${ATTACK})(${JSON.stringify(at())}, ${body})`)).toBe('out');
      // 3 by fetch, a beacon, 6 forms, a fetch from a sandbox; and the WebSocket.
      await daemon.said(/(?:POST \/php: refused: 403[^]*?){11}\/php refused: 403 \/php is not for browsers/, from); // oxlint-disable-line no-await-in-loop
      expect(daemon.out.slice(from)).not.toMatch(/POST \/php: 200|tcp (?:tcp|ssl).*: open/);
      await page.close(); // oxlint-disable-line no-await-in-loop
    }
    await witness.nothingElse();
  });
});
