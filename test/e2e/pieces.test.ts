import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { fixture, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { clientFrame, RawPeer, upgradeRequest } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

const MIB = 1_048_576;
const NEXT = '{"opcode":"next","fyi":""}';

let daemon: RunningDaemon;
let url: string;

beforeAll(async () => {
  daemon = await startDaemon({
    ini: '[limits]\nmaxBuffer=1100KiB\nmaxChunks=800\nsendQueue=8MiB',
    extra: { 'lab.js': fixture('resources/lab.js') },
  });
  url = `ws://127.0.0.1:${daemon.port}`;
});

afterAll(() => daemon.dispose());

/** An echo packet of 1 MiB, of characters of one to four bytes. */
function longPacket(): Buffer {
  const head = '{"opcode":"echo","text":"';
  const text = 'Übermäßig große Grüße 😀👩‍👩‍👧 € 漢字 ';
  const count = Math.floor((MIB - head.length - 2) / Buffer.byteLength(text));
  return Buffer.from(`${head + text.repeat(count)}"}`);
}

/** Pieces of prime lengths: they are cut at every place inside a character. */
function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    pieces.push(bytes.subarray(at, at + sizes[i % sizes.length]));
    at += sizes[i % sizes.length];
  }
  return pieces;
}

function insideCharacters(pieces: readonly Buffer[]): number {
  return pieces.filter((piece) => (piece[0] & 0xc0) === 0x80).length;
}

async function openRaw(): Promise<RawPeer> {
  const peer = await RawPeer.open({ port: daemon.port });
  peer.write(upgradeRequest('/lab'));
  await peer.head();
  await peer.frame();
  return peer;
}

describe('1 MiB of text with umlauts and emoji, cut inside characters, arrives whole', () => {
  test('from a web client: each piece has its next, and the echo is the same text', async () => {
    const packet = longPacket();
    const pieces = cut(packet, [6143, 6151, 1009, 2053]);
    expect(insideCharacters(pieces)).toBeGreaterThan(50);
    const peer = await openRaw();
    // The first piece comes behind the word, the others as text, some as binary messages.
    const messages = [clientFrame(Buffer.concat([Buffer.from('bufferON'), pieces[0]]))];
    for (const [i, piece] of pieces.slice(1).entries()) messages.push(clientFrame(piece, i % 3 === 0 ? 2 : 1));
    for (const message of messages) {
      peer.write(message);
      expect(await peer.text()).toBe(NEXT);
    }
    peer.write(clientFrame('bufferOFF'));
    expect(await peer.text()).toBe('{"opcode":"next","fyi":"","buffered":true}');
    const { opcode, payload } = await peer.frame();
    expect(opcode).toBe(1);
    expect(payload.equals(packet)).toBe(true);
    peer.destroy();
  });

  test('sent ahead, and itself in fragments with a ping between them', async () => {
    const packet = longPacket();
    const pieces = cut(packet, [4001]);
    const peer = await openRaw();
    const parts: Buffer[] = [clientFrame('bufferON')];
    for (const piece of pieces) {
      parts.push(
        clientFrame(piece.subarray(0, 1999), 1, false),
        clientFrame('', 9),
        clientFrame(piece.subarray(1999), 0),
      );
    }
    peer.write(Buffer.concat([...parts, clientFrame('bufferOFF')]));
    for (let i = 0; i < pieces.length; i++) {
      expect(await peer.text()).toBe(NEXT);
      expect((await peer.frame()).opcode).toBe(10);
    }
    // The bufferON had one, too.
    expect(await peer.text()).toBe(NEXT);
    expect(await peer.text()).toBe('{"opcode":"next","fyi":"","buffered":true}');
    expect((await peer.frame()).payload.equals(packet)).toBe(true);
    peer.destroy();
  });

  test('from a line client, by feedback to a page', async () => {
    const web = await WebPeer.open(`${url}/web`);
    const peer = await RawPeer.line({ port: daemon.port }, 'GET /php');
    const text = longPacket().toString().replace('"echo"', `"feedback","uuid":"${web.uuid}"`);
    const pieces = cut(Buffer.from(text), [4099, 3001, 1511]);
    expect(insideCharacters(pieces)).toBeGreaterThan(50);
    const newline = Buffer.from('\n');
    peer.write(Buffer.concat(['bufferON', ...pieces, 'bufferOFF'].flatMap((piece) => [Buffer.from(piece), newline])));
    for (let i = 0; i <= pieces.length; i++) {
      expect(await peer.line()).toBe(NEXT);
    }
    expect(await peer.line()).toBe('{"opcode":"next","fyi":"","delivered":1}');
    expect((await web.text()) === text).toBe(true);
    peer.destroy();
    await web.close();
  });

  test('to a script client, after the next of its bufferOFF', async () => {
    const packet = longPacket();
    const peer = await RawPeer.script({ port: daemon.port }, '/php');
    const pieces = cut(packet, [6 * 1024 + 1]);
    peer.write(Buffer.concat([clientFrame('bufferON'), ...pieces.map((piece) => clientFrame(piece))]));
    for (let i = 0; i <= pieces.length; i++) {
      expect(await peer.text()).toBe(NEXT);
    }
    peer.write(clientFrame('bufferOFF'));
    expect(await peer.text()).toBe(NEXT);
    expect((await peer.frame()).payload.equals(packet)).toBe(true);
    peer.destroy();
  });
});

describe('what bufferON and bufferOFF are', () => {
  test('their case counts, and bufferOFF only as the whole message', async () => {
    const web = await WebPeer.open(`${url}/lab`);
    for (const piece of ['bufferON', '{"opcode":"echo","a":"', 'bufferON', 'bufferoff', 'bufferOFF ', '"}']) {
      expect(await web.ask(piece)).toEqual({ opcode: 'next', fyi: '' });
    }
    expect(await web.ask('bufferOFF')).toMatchObject({ opcode: 'next', buffered: true });
    expect(await web.text()).toBe('{"opcode":"echo","a":"bufferONbufferoffbufferOFF "}');
    web.send('BUFFERON');
    expect(await web.packet()).toMatchObject({ opcode: 'close' });
    expect(await web.closed).toMatchObject({ code: 1007 });
  });

  test('nothing between them is an empty message, and bufferOFF alone is no packet', async () => {
    const web = await WebPeer.open(`${url}/lab`);
    expect(await web.ask('bufferON')).toEqual({ opcode: 'next', fyi: '' });
    expect(await web.ask('bufferOFF')).toEqual({ opcode: 'next', fyi: '' });
    expect(await web.ask('bufferOFF')).toMatchObject({ opcode: 'close' });
    await web.closed;
  });

  test('pieces that are not UTF-8 when they are joined: close packet and 1007', async () => {
    const peer = await openRaw();
    peer.write(clientFrame('bufferON'));
    expect(await peer.text()).toBe(NEXT);
    peer.write(clientFrame(Buffer.from('{"opcode":"echo","x":"\xc3', 'latin1')));
    expect(await peer.text()).toBe(NEXT);
    peer.write(clientFrame(Buffer.from('"}')));
    expect(await peer.text()).toBe(NEXT);
    peer.write(clientFrame('bufferOFF'));
    expect(await peer.packet()).toMatchObject({ opcode: 'close', error: expect.stringContaining('not UTF-8') });
    expect(await peer.closeFrame()).toMatchObject({ code: 1007 });
    peer.destroy();
  });
});

describe('the limits of a message in pieces', () => {
  const TOO_LARGE = 'a message in pieces of more than 1126400 bytes';
  const TOO_MANY = 'a message of more than 800 pieces';

  test('over maxBuffer: a close packet and 1009', async () => {
    const web = await WebPeer.open(`${url}/lab`);
    expect(await web.ask('bufferON')).toMatchObject({ opcode: 'next' });
    expect(await web.ask('x'.repeat(1_000_000))).toMatchObject({ opcode: 'next' });
    expect(await web.ask('x'.repeat(126_400))).toMatchObject({ opcode: 'next' });
    expect(await web.ask('x')).toEqual({ opcode: 'close', error: TOO_LARGE });
    expect(await web.closed).toEqual({ code: 1009, reason: TOO_LARGE });
    await daemon.said(/WARN #\d+ .*over \[limits\] maxBuffer: /);
  });

  test('over maxChunks: a close packet and 1009', async () => {
    const web = await WebPeer.open(`${url}/lab`);
    web.send('bufferON');
    for (let i = 0; i < 800; i++) web.send('x');
    for (let i = 0; i <= 800; i++) {
      expect(await web.text()).toBe(NEXT);
    }
    expect(await web.ask('x')).toEqual({ opcode: 'close', error: TOO_MANY });
    expect(await web.closed).toEqual({ code: 1009, reason: TOO_MANY });
  });

  test('a line client gets the close packet, and the end', async () => {
    const peer = await RawPeer.line({ port: daemon.port }, 'GET /php');
    peer.write(`bufferON\n${'x\n'.repeat(801)}`);
    expect(await peer.rest()).toBe(
      `${`${NEXT}\n`.repeat(801)}${JSON.stringify({ opcode: 'close', error: TOO_MANY })}\n`,
    );
    peer.destroy();
  });
});
