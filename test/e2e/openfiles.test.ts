import { afterEach, describe, expect, test } from '@jest/globals';
import { run } from '../support/commands.ts';
import { ROOT, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { RawPeer } from '../support/rawpeer.ts';

const LIMIT = 256;
const ROOM = LIMIT - 64;
const ECHO = '{"opcode":"echo"}';
const NO_FILE = 'ERROR no file can be opened any more';

/** Opens as many files as it can, and closes them again. */
const GLUTTON = `
import { closeSync, openSync } from 'node:fs';
import { Resource } from 'websock';
const eaten = [];
export default class extends Resource {
  onData(client, message) {
    try {
      if (message === 'eat') for (;;) eaten.push(openSync('/dev/null'));
      for (const file of eaten.splice(0)) closeSync(file);
    } catch (error) {
      client.send(error.code);
    }
  }
}
`;

describe.each(['direct', 'net'])('a limit of 256 open files, transport=%s', (transport) => {
  let daemon: RunningDaemon;
  const peers: RawPeer[] = [];
  afterEach(async () => {
    for (const peer of peers.splice(0)) peer.destroy();
    await daemon.dispose();
  });
  const start = async (ini: string): Promise<void> => {
    daemon = await startDaemon({
      openFiles: LIMIT,
      ini,
      env: { WEBSOCK_TRANSPORT: transport },
      extra: { 'glutton.mjs': GLUTTON },
    });
  };

  /** A client. @returns the opcode of what it is told first, or '' if it is cut off without a word. */
  const enter = async (): Promise<string> => {
    const peer = await RawPeer.open({ port: daemon.port });
    peers.push(peer);
    peer.write('GET /\n');
    const line = await peer.line().catch(() => '');
    const opcode = line === '' ? '' : (JSON.parse(line) as { opcode: string }).opcode;
    if (opcode !== 'ready') peer.destroy();
    return opcode;
  };
  const enterAll = async (count: number): Promise<string[]> => {
    const words: string[] = [];
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    while (words.length < count) words.push(await enter());
    return words;
  };
  const echo = async (peer: RawPeer): Promise<void> => {
    peer.write(`${ECHO}\n`);
    expect(await peer.line()).toBe(ECHO);
    expect(await peer.linePacket()).toMatchObject({ opcode: 'next' });
  };
  const times = (text: string): number => daemon.out.split(text).length - 1;

  test('by default the daemon is full before its files are: who comes is told so, who is there is served', async () => {
    await start('');
    expect(new Set(await enterAll(ROOM))).toEqual(new Set(['ready']));
    const here = peers.splice(0);
    expect(new Set(await enterAll(40))).toEqual(new Set(['close']));
    await Promise.all(here.map(echo));
    await daemon.said(/; WARN .*Too many connections\n/);
    for (const peer of here.splice(0, ROOM / 2)) peer.destroy();
    // A place is free when its socket is gone, which is nowhere to be seen.
    let word = '';
    for (let tries = 0; word !== 'ready' && tries < 100; tries++) word = await enter();
    expect(word).toBe('ready');
    expect(times(NO_FILE)).toBe(0);
    peers.push(...here);
  });

  test('with maxClients too high it is said at the start; who comes is cut off, and the log says why, once', async () => {
    await start('[limits]\nmaxClients=1000');
    expect(daemon.out).toMatch(
      /; WARN \S+websock\.ini line 4, \[limits\] maxClients: 1000 connections need a limit of 1064 open files, and it is 256: /,
    );
    const words = await enterAll(LIMIT);
    const here = peers.splice(0).filter((_, index) => words[index] === 'ready');
    expect(here.length).toBeGreaterThan(ROOM);
    expect(words.slice(here.length).every((word) => word === '')).toBe(true);
    const [, count] = await daemon.said(
      /ERROR no file can be opened any more \(limit of this process 256; connections (\d+)\)/,
    );
    expect(Number(count)).toBe(here.length);
    await Promise.all(here.map(echo));
    expect(await enter()).toBe('');
    for (const peer of here.splice(0, 50)) peer.destroy();
    await daemon.said(/files can be opened again: new clients are let in/);
    expect(await enter()).toBe('ready');
    expect([times(NO_FILE), times('files can be opened again')]).toEqual([1, 1]);
    peers.push(...here);
  });

  test('a resource that eats all files: who is there is served, who comes is cut off, and it recovers', async () => {
    await start('');
    const eater = await RawPeer.line({ port: daemon.port }, '/glutton');
    const other = await RawPeer.line({ port: daemon.port }, '/');
    peers.push(eater, other);
    eater.write('eat\n');
    expect(await eater.line()).toBe('EMFILE');
    await daemon.said(/ERROR no file can be opened any more \(limit of this process 256; connections 2\)/);
    expect(await enter()).toBe('');
    await echo(other);
    eater.write('spit\n');
    await daemon.said(/files can be opened again/);
    expect(await enter()).toBe('ready');
    expect(times(NO_FILE)).toBe(1);
  });
});

test('--check warns of a limit of open files that is too low for maxClients', async () => {
  const command = `ulimit -n 256; exec ${process.execPath} ${ROOT}/dist/run.js --check --limits.maxClients`;
  const warning =
    'warning: command line --limits.maxClients: 193 connections need a limit of 257 open files, and it is 256: ';
  expect((await run('sh', ['-c', `${command} 193`])).stdout).toContain(warning);
  expect((await run('sh', ['-c', `${command} 192`])).stdout).not.toContain('warning: ');
});
