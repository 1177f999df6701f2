import { createReadStream, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createJiti } from 'jiti';
import { describe, expect, test } from '@jest/globals';
import * as websock from 'websock';
import * as testing from 'websock/testing';
import { TestBench } from 'websock/testing';
import { WebSocket } from 'ws';
import { connect } from '../../src/client/index.ts';
import { run } from '../support/commands.ts';
import { startDaemon, temporaryFolder } from '../support/daemon.ts';
import { jobRoom, openJob } from '../support/jobroom.ts';
import { codeBlock } from '../support/markdown.ts';
import { withProgram } from '../support/program.ts';

const GUIDE = 'resources/README.md';

/** A resource that has the methods of a snippet, and what they need beside. */
function resourceOf(snippet: string, more = ''): new () => websock.Resource {
  // oxlint-disable-next-line typescript/no-implied-eval -- it is what the documentation says that is to be run
  const make = new Function(
    'Resource',
    'RequestError',
    'createReadStream',
    `return class extends Resource { ${more}\n${snippet} };`,
  );
  return make(websock.Resource, websock.RequestError, createReadStream) as new () => websock.Resource;
}

const snippet = (holding: string): string => codeBlock(GUIDE, 'js', holding);

describe('each snippet of the guide to resources, run', () => {
  test('onHandshake keeps out who is no editor', async () => {
    const bench = new TestBench().mount(resourceOf(snippet('for editors')), '/x');
    const by = (role: string) => bench.connect({ auth: { mode: 'jwt', claims: { role } } });
    await expect(by('reader')).rejects.toThrow('refused: 403 for editors');
    expect((await by('editor')).isGone).toBe(false);
  });

  test('sendFragmented sends a file', async () => {
    const dir = temporaryFolder();
    try {
      writeFileSync(join(dir, 'poem.txt'), 'a long poem');
      const bench = new TestBench().mount(
        resourceOf(snippet('createReadStream'), `fileOf(name) { return ${JSON.stringify(dir)} + '/' + name; }`),
        '/x',
      );
      const client = await bench.connect();
      expect(await client.say('poem.txt')).toEqual({ opcode: 'next', fyi: '' });
      expect(client.received).toEqual(['a long poem']);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  test('onRequest answers with a page, or with JSON', async () => {
    const bench = new TestBench().mount(resourceOf(snippet('onRequest')), '/clients');
    await bench.connect();
    expect(await bench.request('/clients')).toMatchObject({
      status: 200,
      type: 'text/html; charset=utf-8',
      body: '<!doctype html><title>Clients</title><p>1 are here.',
    });
    expect(await bench.request('/clients', { query: 'raw' })).toMatchObject({
      type: 'application/json',
      body: '{"open":1}',
    });
  });

  test('rooms: who is in one hears what is said there', async () => {
    const bench = new TestBench().mount(resourceOf(snippet("'enter'")), '/x');
    const [ada, zoe, bob] = [await bench.connect(), await bench.connect(), await bench.connect()];
    expect(await ada.say({ opcode: 'enter', room: 'tea' })).toMatchObject({ entered: true });
    await zoe.say({ opcode: 'enter', room: 'tea' });
    const said = { opcode: 'say', room: 'tea', text: 'more?' };
    expect(await ada.say(said)).toEqual({ opcode: 'next', fyi: '', delivered: 1 });
    expect([ada.packets, zoe.packets, bob.packets]).toEqual([[], [said], []]);
    expect(await bob.say(said)).toEqual({ opcode: 'next', fyi: '' });
  });

  test('a client is asked, and its answer counts; so does that it does not answer', async () => {
    const bench = new TestBench().mount(resourceOf(snippet('client.request')), '/files');
    const [sure, unsure, silent] = [await bench.connect(), await bench.connect(), await bench.connect()];
    sure.answer('confirm', ({ text }) => ({ sure: text === 'Delete a.txt?' }));
    unsure.answer('confirm', () => {
      throw new Error('not now');
    });
    const says = { opcode: 'delete', file: 'a.txt' };
    expect(await sure.say(says)).toMatchObject({ deleted: true });
    expect(await unsure.say(says)).toMatchObject({ error: 'not now' });
    expect(await sure.say({ opcode: 'keep' })).toEqual({ opcode: 'next', fyi: '' });
    const asked = silent.say(says);
    silent.leave();
    await asked;
    expect(silent.packets).toMatchObject([{ opcode: 'confirm', text: 'Delete a.txt?' }]);
  });

  test('a ticket is good for its uuid alone', async () => {
    const makesTickets = resourceOf('onData(client, uuid) { return this.server.ticket(uuid); }');
    const bench = new TestBench()
      .mount(resourceOf(snippet('server.may'), 'static tickets = true;'), '/x')
      .mount(makesTickets, '/tickets');
    const [page, other] = [await bench.connect(), await bench.connect()];
    const made = await (await bench.connect({}, '/tickets')).say(page.uuid);
    const ticket = String(made?.ticket);
    const script = await bench.connect({ scheme: 'tcp', ticket });
    expect(await script.say({ opcode: 'step', uuid: page.uuid })).toMatchObject({ delivered: 1 });
    expect(await script.say({ opcode: 'step', uuid: other.uuid })).toMatchObject({ error: 'not allowed' });
    expect([page.packets.length, other.packets.length]).toEqual([1, 0]);
  });

  test('onOther: who comes back and has missed something gets everything', async () => {
    const more = "away = new Set(); everything() { return { opcode: 'all', away: this.away.size }; }";
    const bench = new TestBench().mount(resourceOf(snippet('notice.type'), more), '/x');
    const client = await bench.connect();
    await client.notify({ type: 'detached' });
    await client.notify({ type: 'resumed', lost: 2, restarted: false });
    expect(client.packets).toEqual([{ opcode: 'all', away: 0 }]);
  });

  test('droppable figures are dropped for who is behind', async () => {
    const method = `onData() { const figures = [1, 2]; ${snippet('figures')} }`;
    const bench = new TestBench().mount(resourceOf(method), '/x');
    const [quick, slow] = [await bench.connect(), await bench.connect()];
    slow.behind = true;
    await quick.say('x');
    expect([quick.received, slow.received, slow.dropped]).toEqual([['[1,2]'], [], 1]);
  });
});

test('PROTOCOL.md shows the state of a job as it is', async () => {
  const { job } = await openJob((await jobRoom()).page);
  const shown = JSON.parse(codeBlock('src/PROTOCOL.md', 'json', '"title":"Import"')) as object;
  expect(Object.keys(job)).toEqual(Object.keys(shown));
});

test('MIGRATING.md: the resource that was ported does what the one in PHP did', async () => {
  const dir = temporaryFolder();
  try {
    writeFileSync(join(dir, 'room.ts'), codeBlock('MIGRATING.md', 'ts', 'class Room'));
    const jiti = createJiti(`${dir}/`, {
      fsCache: false,
      moduleCache: false,
      virtualModules: { websock, 'websock/testing': testing },
    });
    const bench = new TestBench().mount(await jiti.import(join(dir, 'room.ts'), { default: true }), '/room');
    const [ada, zoe] = [await bench.connect(), await bench.connect()];
    const said = { opcode: 'say', message: 'hello' };
    expect(await ada.say(said)).toEqual({ opcode: 'next', fyi: '', delivered: 1 });
    expect([ada.packets, zoe.packets]).toEqual([[], [said]]);
    await ada.say({ opcode: 'quit' });
    expect(ada.closed).toEqual({ code: 1000, reason: '' });
    expect(bench.log).toContain(`/room: client ${ada.id} says goodbye`);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

describe('MIGRATING.md, from socket.io', () => {
  test('the resource acknowledges, sends to a room, and takes one line from another process', async () => {
    const talk = codeBlock('MIGRATING.md', 'ts', 'class Talk');
    const daemon = await startDaemon({ resources: { 'talk.ts': talk } });
    const dial = () => connect(`ws://127.0.0.1:${daemon.port}/talk`, { WebSocket });
    const [ada, zoe] = [dial(), dial()];
    try {
      expect(await ada.send({ opcode: 'enter', room: 'tea' })).toMatchObject({ size: 1 });
      const entered = ada.once('entered');
      expect(await zoe.send({ opcode: 'enter', room: 'tea' })).toMatchObject({ size: 2 });
      expect(await entered).toEqual({ opcode: 'entered', who: zoe.uuid });

      const said = [ada.once('said'), zoe.once('said')];
      const line = codeBlock('MIGRATING.md', 'sh', 'opcode=say').replace(':8096', `:${daemon.port}`);
      const { code, stdout } = await run('sh', ['-c', line]);
      expect([code, JSON.parse(stdout)]).toEqual([0, { opcode: 'next', fyi: '', delivered: 2, packets: [] }]);
      const packet = { opcode: 'said', room: 'tea', text: 'is ready' };
      expect(await Promise.all(said)).toEqual([packet, packet]);
      expect(await zoe.send({ opcode: 'sing' })).toMatchObject({ error: 'no such opcode' });
    } finally {
      ada.close();
      zoe.close();
      await daemon.dispose();
    }
  });

  test('what it is ported from is JavaScript, and listens to the same', () => {
    const code = codeBlock('MIGRATING.md', 'js', "io.on('connection'");
    const listened: string[] = [];
    const socket = { on: (name: string) => listened.push(name) };
    const io = {
      on: (name: string, connected: (one: typeof socket) => void) => name === 'connection' && connected(socket),
    };
    // oxlint-disable-next-line typescript/no-implied-eval -- it is what the documentation shows
    new Function('io', code)(io);
    expect(listened).toEqual(['enter', 'say']);
  });
});

const withPhp = withProgram('php', 'php-cli');
withPhp('and that one is PHP', async () => {
  const php = codeBlock('MIGRATING.md', 'php', 'class resourceChat');
  expect(await run('php', ['-l'], `<?php\n${php}`)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('No syntax errors'),
  });
});
