import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { RunningDaemon } from '../support/daemon.ts';
import { frame, hex } from '../support/frames.ts';
import { NEXT, open, PATHS, served, startEcho } from './peers.ts';

let daemon: RunningDaemon;

beforeAll(async () => {
  daemon = await startEcho();
});

afterAll(() => daemon.dispose());

describe.each(PATHS)('at %s', (path) => {
  const next = path === '/dialog' ? served(1, NEXT) : Buffer.alloc(0);

  test.each([
    ['text', '81 85 37fa213d 7f9f4d5158', '81 05 48656c6c6f'],
    ['binary', '82 85 37fa213d 7f9f4d5158', '82 05 48656c6c6f'],
    ['text of more than ASCII', '81 86 00000000 c3a4 f09f9982', '81 06 c3a4 f09f9982'],
    ['binary that is no text', '82 83 00000000 ff00c0', '82 03 ff00c0'],
    ['text in fragments', '01 83 37fa213d 7f9f4d  80 82 37fa213d 5b95', '81 05 48656c6c6f'],
    ['binary in fragments', '02 83 37fa213d 7f9f4d  00 80 00000000  80 82 37fa213d 5b95', '82 05 48656c6c6f'],
    ['two messages in one write', '81 81 00000000 41  82 81 00000000 42', '81 01 41', '82 01 42'],
  ])(
    '§6.1/3, §6.1/4, §5.1 masking: %s comes back as what it is, in a frame with FIN and without a mask',
    async (_, sent, ...echoes) => {
      const peer = await open(daemon.port, path);
      peer.write(hex(sent));
      const expected = Buffer.concat(echoes.flatMap((echo) => [hex(echo), next]));
      expect((await peer.take(expected.length)).toString('hex')).toBe(expected.toString('hex'));
      peer.destroy();
    },
  );

  test.each([
    [125, '7d'],
    [126, '7e 007e'],
    [255, '7e 00ff'],
    [256, '7e 0100'],
    [65_535, '7e ffff'],
    [65_536, '7f 0000000000010000'],
    [300_000, '7f 00000000000493e0'],
  ])('§6.1/2, §5.2 length, §5.1 masking: %i bytes go with the length %s', async (length, form) => {
    const peer = await open(daemon.port, path);
    for (const [op, content] of [
      [1, 'a'.repeat(length)],
      [1, 'ä'.repeat(length / 2) + 'a'.repeat(length % 2)],
      [2, Buffer.alloc(length, 0xe7)],
    ] as const) {
      peer.write(frame({ op, payload: content }));
      const expected = Buffer.concat([hex(`8${op} ${form}`), Buffer.from(content as string), next]);
      expect((await peer.take(expected.length)).equals(expected)).toBe(true);
    }
    peer.destroy();
  });
});
