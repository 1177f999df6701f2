import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { RunningDaemon } from '../support/daemon.ts';
import { clientClose, frame, hex } from '../support/frames.ts';
import { expectEnd, farewell, NEXT, open, type Path, PATHS, served, startEcho } from './peers.ts';
import { VIOLATIONS, type Violation } from './violations.ts';

// What the daemon sends to a client that breaks the rules, in bytes: its Close frame, and then the FIN.

let daemon: RunningDaemon;

beforeAll(async () => {
  // The FIN does not wait for closeTimeout: nobody would see the end of these tests.
  daemon = await startEcho('[limits]\ncloseTimeout=86400\nmaxPayload=2KiB\nmaxFragments=3');
});

afterAll(() => daemon.dispose());

/** What is sent behind a violation: not looked at, so not answered (§7.1.7). */
const BEHIND = Buffer.concat([frame({ op: 9, payload: 'there?' }), frame({ payload: 'later' }), clientClose(1000)]);

function firstAnswer(path: Path, first: Violation['first']): Buffer {
  if (first === null) return Buffer.alloc(0);
  if (first === 'Ping') return served(10);
  // With the dialog an empty message is acknowledged, and goes no further.
  return served(1, path === '/dialog' ? NEXT : '');
}

describe.each(PATHS)('at %s', (path) => {
  test.each(VIOLATIONS)('$clause: $name -> $code', async ({ sent, code, reason, first }) => {
    const from = daemon.out.length;
    const expected = Buffer.concat([firstAnswer(path, first), farewell(path, code, reason)]);
    await expectEnd(await open(daemon.port, path), Buffer.concat([sent, BEHIND]), expected);
    // §7.1.7: the problem is logged.
    const line = (await daemon.said(new RegExp(`#\\d+ 127\\.0\\.0\\.1 ${path} closed: .*\n`), from))[0];
    expect(line).toContain(`closed: ${code} ${reason}\n`);
  });

  test('§7.1.7: behind a violation nothing is processed, whenever it comes', async () => {
    const peer = await open(daemon.port, path);
    peer.write(hex('81 00'));
    expect(await peer.restBytes()).toEqual(farewell(path, 1002, 'a frame from a client is not masked'));
    peer.write(BEHIND);
    const other = await open(daemon.port, path);
    await expectEnd(other, clientClose(1000), '88 02 03e8');
    expect(await peer.restBytes()).toHaveLength(0);
    peer.destroy();
  });

  test('§7.1.7: a script client gets the same, frame by frame', async () => {
    for (const { sent, code, reason } of VIOLATIONS.filter(({ name }) =>
      /^(?:an unmasked Ping|opcode 3|text that)/.test(name),
    )) {
      const peer = await open(daemon.port, path, { 'Client-Type': 'php' });
      await expectEnd(peer, Buffer.concat([sent, BEHIND]), farewell(path, code, reason));
    }
  });

  test('§10.1: a page of a welcome origin is judged by its frames, like all others', async () => {
    const peer = await open(daemon.port, path, { Origin: 'http://localhost' });
    await expectEnd(peer, '81 05 48656c6c6f', farewell(path, 1002, 'a frame from a client is not masked'));
  });

  test('§5.8: an extension that was offered, and not agreed to, is not used', async () => {
    const peer = await open(daemon.port, path, { 'Sec-WebSocket-Extensions': 'x-bits, permessage-frobnicate' });
    const reason = 'a reserved bit is set though no extension was negotiated';
    await expectEnd(peer, frame({ rsv: 4, payload: 'x' }), farewell(path, 1002, reason));
  });

  const TOO_LARGE = 'a message of more than 2048 bytes; long ones go in pieces, between bufferON and bufferOFF';
  test.each([
    ['a frame of 2**60 bytes', '82 ff 1000000000000000 00000000', TOO_LARGE],
    ['a frame of one byte too much', '81 fe 0801 00000000', TOO_LARGE],
    ['fragments of one byte too much', '02 81 00000000 41  00 fe 0800 00000000', TOO_LARGE],
    ['an empty fragment too much', `01 80 00000000 ${'00 80 00000000'.repeat(3)}`, 'a message of more than 3 frames'],
  ])('§10.4, §10.7: %s -> 1009, before it has come', async (_, input, reason) => {
    const from = daemon.out.length;
    await expectEnd(await open(daemon.port, path), input, farewell(path, 1009, reason));
    await daemon.said(
      new RegExp(`WARN #\\d+ 127\\.0\\.0\\.1 ${path}: over \\[limits\\] max(?:Payload|Fragments): `),
      from,
    );
  });
});
