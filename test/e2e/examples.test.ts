import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { WebPeer } from '../support/webpeer.ts';

const OWN = `import { Resource } from 'websock';
export default class Status extends Resource {
  onData(client) { client.send('my own'); }
}`;

let daemon: RunningDaemon;
let url: string;

beforeAll(async () => {
  daemon = await startDaemon({ ini: "examples='status,echo'", extra: { 'status.js': OWN } });
  await daemon.said(/; Examples : http:\/\/127\.0\.0\.1:\d+\/_websock\/examples\/ \(echo\)\n/);
  url = `http://127.0.0.1:${daemon.port}`;
});

afterAll(() => daemon.dispose());

describe('of the examples that are named', () => {
  test('each is a resource, but where the own folder has its path', async () => {
    const echo = WebPeer.start(`ws://127.0.0.1:${daemon.port}/echo`);
    expect(await echo.text()).toMatch(/^served by /);
    echo.socket.send('hello');
    expect(await echo.text()).toBe('hello');
    const status = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/status`);
    status.socket.send('whose');
    expect(await status.text()).toBe('my own');
    expect(daemon.out).toMatch(
      /WARN .*websock\.ini line \d+, examples: the example status is not served, for there is a resource at \/status\n/,
    );
    for (const peer of [echo, status]) {
      peer.socket.close();
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await peer.closed;
    }
  });

  test('the list names those that are served, as their pages do', async () => {
    const page = await fetch(`${url}/_websock/examples`);
    expect([page.url, page.status]).toEqual([`${url}/_websock/examples/`, 200]);
    const html = await page.text();
    expect([...html.matchAll(/<a href="(\w+)">/g)].map((match) => match[1])).toEqual(['echo']);
    const about = /<meta name="description" content="([^"]+)"/.exec(
      await (await fetch(`${url}/_websock/examples/echo`)).text(),
    );
    expect(html).toContain(`<p>${about?.[1]}</p>`);
  });

  test('each page may do what it needs to, and holds no script', async () => {
    for (const name of ['', 'echo']) {
      // oxlint-disable-next-line no-await-in-loop -- one connection
      const { headers, text } = await read(name);
      expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(headers.get('content-security-policy')).toBe(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      );
      expect([headers.get('x-content-type-options'), headers.get('referrer-policy')]).toEqual([
        'nosniff',
        'no-referrer',
      ]);
      expect(text.match(/<script(?![^>]* src=)|<style|\son\w+=/g)).toBeNull();
    }
  });

  test('its files are served, and nothing else of the folder', async () => {
    const statuses = async (...names: string[]): Promise<number[]> =>
      Promise.all(names.map(async (name) => (await fetch(`${url}/_websock/examples/${name}`)).status));
    expect(await statuses('echo.js', 'example.css', 'example.js')).toEqual([200, 200, 200]);
    expect(
      await statuses(
        'echo.ts',
        'echo.html',
        'tsconfig.json',
        'status',
        'status.js',
        'hello',
        '..%2fexamples%2fecho.ts',
      ),
    ).toEqual([404, 404, 404, 404, 404, 404, 404]);
  });
});

async function read(name: string): Promise<{ headers: Headers; text: string }> {
  const response = await fetch(`${url}/_websock/examples/${name}`);
  return { headers: response.headers, text: await response.text() };
}
