import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Attacker, ATTACKERS, refusal } from '../support/attackers.ts';
import { Bystanders } from '../support/bystanders.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { clientFrame, RawPeer } from '../support/rawpeer.ts';

// What a message, a head or a length may say: it has exactly the effect that PROTOCOL.md gives it, or is refused with a reason.

const NEXT = '{"opcode":"next","fyi":""}';
const delivered = (count: number): string => `{"opcode":"next","fyi":"","delivered":${count}}`;
const KIB_8 = 'x'.repeat(8192);
const DEEP = '['.repeat(100_000);

let daemon: RunningDaemon;
let bystanders: Bystanders;

beforeAll(async () => {
  daemon = await startDaemon({ ini: "[backend]\nkey='the-key'" });
  bystanders = await Bystanders.at(daemon.port);
});
afterAll(() => daemon.dispose());

const packetRefusal = (why: string): string[] => refusal(1007, `not a valid packet: ${why}`);

describe.each(Object.entries(ATTACKERS))('a packet, from a %s client', (kind, attack) => {
  const open = (): Promise<Attacker> => attack(daemon.port);
  const fromBackend = kind !== 'web';

  /** The message, and what comes back, in any order: `next` goes first to a script. */
  const TAKEN: [what: string, message: string, answers: string[]][] = [
    ['uuid true', '{"opcode":"feedback","uuid":true}', [delivered(0)]],
    ['uuid an object', '{"opcode":"feedback","uuid":{"toString":"x"}}', [delivered(0)]],
    ['uuid a list of the one that there is', '{"opcode":"feedback","uuid":["UUID"]}', [delivered(0)]],
    ['uuid empty', '{"opcode":"feedback","uuid":""}', [delivered(0)]],
    ['uuid of 8 KiB', `{"opcode":"feedback","uuid":"${KIB_8}"}`, [delivered(0)]],
    ['uuid __proto__', '{"opcode":"feedback","uuid":"__proto__"}', [delivered(0)]],
    ['uuid in __proto__', '{"opcode":"feedback","__proto__":{"uuid":"UUID"}}', [delivered(0)]],
    ['uuid in constructor', '{"opcode":"feedback","constructor":{"prototype":{"uuid":"UUID"}}}', [delivered(0)]],
    ['ident true', '{"opcode":"feedback","ident":true}', [delivered(0)]],
    ['ident in __proto__', '{"opcode":"feedback","__proto__":{"ident":"__proto__"}}', [delivered(0)]],
    ['ident 1.5', '{"opcode":"feedback","ident":1.5}', [delivered(0)]],
    ['ident 1e999', '{"opcode":"feedback","ident":1e999}', [delivered(0)]],
    ['opcode __proto__', '{"opcode":"__proto__"}', [NEXT]],
    ['opcode constructor', '{"opcode":"constructor"}', [NEXT]],
    ['opcode of 8 KiB', `{"opcode":"${KIB_8}"}`, [NEXT]],
    ['opcode ready', '{"opcode":"ready","uuid":"UUID"}', [NEXT]],
    ['opcode next', '{"opcode":"next"}', [NEXT]],
    ['opcode twice: the last counts', '{"opcode":"quit","opcode":"x"}', [NEXT]],
    [
      '__proto__ beside an echo',
      '{"opcode":"echo","__proto__":{"a":1}}',
      ['{"opcode":"echo","__proto__":{"a":1}}', NEXT],
    ],
    [
      'control characters',
      '{"opcode":"echo","t":"\\u0000\\u001b[2J\u202e\u2028"}',
      ['{"opcode":"echo","t":"\\u0000\\u001b[2J\u202e\u2028"}', NEXT],
    ],
    ['half a surrogate pair', '{"opcode":"echo","t":"\\ud83d"}', ['{"opcode":"echo","t":"\\ud83d"}', NEXT]],
    [
      'a number that no double holds',
      '{"opcode":"echo","n":12345678901234567890.5e400}',
      ['{"opcode":"echo","n":12345678901234567890.5e400}', NEXT],
    ],
    ['an empty message', '', [NEXT]],
    [
      'the ident of nobody: not a web client’s to address',
      '{"opcode":"feedback","ident":"nobody"}',
      [fromBackend ? delivered(0) : '{"opcode":"next","fyi":"","error":"not allowed"}'],
    ],
  ];

  test.each(TAKEN)('%s', async (_, message, answers) => {
    const attacker = await open();
    attacker.say(message.replaceAll('UUID', bystanders.web.uuid));
    const heard: string[] = [];
    for (let i = 0; i < answers.length; i++) heard.push(await attacker.hear());
    expect(heard.map((text) => text.trimEnd()).toSorted()).toEqual(answers.toSorted());
    attacker.peer.destroy();
    await bystanders.areServed();
  });

  test.each([
    ['{"uuid":true}', 'its "opcode" is not a string'],
    ['{"__proto__":{"opcode":"echo"}}', 'its "opcode" is not a string'],
    ['{"opcode":{"toString":"echo"}}', 'its "opcode" is not a string'],
    ['{"opcode":["echo"]}', 'its "opcode" is not a string'],
    ['{"opcode":null}', 'its "opcode" is not a string'],
    ['[{"opcode":"echo"}]', 'it is not a JSON object'],
    ['null', 'it is not a JSON object'],
    ['"echo"', 'it is not a JSON object'],
    ['{"opcode":"echo"', 'it is not JSON'],
    ['{"opcode":"echo"}{}', 'it is not JSON'],
    ["{'opcode':'echo'}", 'it is not JSON'],
    ['\ufeff{"opcode":"echo"}', 'it is not JSON'],
    ['{"opcode":NaN}', 'it is not JSON'],
  ])('%s is refused with 1007', async (message, why) => {
    const from = daemon.out.length;
    const attacker = await open();
    attacker.say(message);
    const expected = packetRefusal(why);
    expect(await attacker.fate()).toEqual(kind === 'line' ? expected.slice(0, 1) : expected);
    attacker.peer.destroy();
    const path = fromBackend ? '/php' : '/web';
    await daemon.said(new RegExp(`#\\d+ 127\\.0\\.0\\.1 ${path} closed: 1007 not a valid packet: ${why}\n`), from);
    await bystanders.areServed();
  });

  test('nested 100,000 deep: echoed byte by byte, or refused as no JSON', async () => {
    const deep = `{"opcode":"echo","x":${DEEP}${']'.repeat(100_000)}}`;
    const attacker = await open();
    attacker.say(deep);
    const heard = [await attacker.hear(), await attacker.hear()].map((text) => text.trimEnd());
    expect(heard.includes(deep)).toBe(true);
    expect(heard.includes(NEXT)).toBe(true);
    attacker.say(`{"opcode":"echo","x":${DEEP}`);
    const expected = packetRefusal('it is not JSON');
    expect(await attacker.fate()).toEqual(kind === 'line' ? expected.slice(0, 1) : expected);
    attacker.peer.destroy();
    await bystanders.areServed();
  });
});

describe('by POST', () => {
  const post = async (body: string, type = 'application/json'): Promise<{ status: number; text: string }> => {
    const answer = await fetch(`http://127.0.0.1:${daemon.port}/php`, {
      method: 'POST',
      body,
      headers: { 'Content-Type': type },
    });
    return { status: answer.status, text: await answer.text() };
  };

  test('each has the same effect', async () => {
    const none = '{"opcode":"next","fyi":"","delivered":0,"packets":[]}\n';
    expect(await post('{"opcode":"feedback","uuid":true}')).toEqual({ status: 200, text: none });
    expect(await post(`{"opcode":"feedback","__proto__":{"uuid":"${bystanders.web.uuid}"}}`)).toEqual({
      status: 200,
      text: none,
    });
    expect(await post(`opcode=feedback&__proto__=${bystanders.web.uuid}`, 'application/x-www-form-urlencoded')).toEqual(
      {
        status: 200,
        text: none,
      },
    );
    expect(await post('opcode=echo&__proto__=a&__proto__=b', 'application/x-www-form-urlencoded')).toEqual({
      status: 200,
      text: '{"opcode":"next","fyi":"","packets":[{"opcode":"echo","__proto__":["a","b"]}]}\n',
    });
    expect(await post('{"uuid":true}')).toMatchObject({
      status: 400,
      text: expect.stringContaining('not a valid packet'),
    });
    await bystanders.areServed();
  });

  test('nested 100,000 deep', async () => {
    const deep = `{"opcode":"echo","x":${DEEP}${']'.repeat(100_000)}}`;
    const taken = await post(deep);
    expect([taken.status, taken.text === `{"opcode":"next","fyi":"","packets":[${deep}]}\n`]).toEqual([200, true]);
    const refused = await post(`{"opcode":"echo","x":${DEEP}`);
    expect([refused.status, refused.text]).toEqual([400, expect.stringContaining('it is not JSON')]);
    await bystanders.areServed();
  });
});

describe('a length that never comes', () => {
  const header = (...words: number[]): Buffer => {
    const bytes = Buffer.alloc(14);
    bytes.set([0x82, 0xff]);
    bytes.writeUInt32BE(words[0], 2);
    bytes.writeUInt32BE(words[1], 6);
    return bytes;
  };
  const TOO_LARGE = 'a message of more than 1048576 bytes; long ones go in pieces, between bufferON and bufferOFF';

  test.each([
    ['4 GiB', header(1, 0), 1009, TOO_LARGE],
    ['8 EiB less one byte', header(0x7fffffff, 0xffffffff), 1009, TOO_LARGE],
    ['16 EiB less one byte', header(0xffffffff, 0xffffffff), 1002, 'the top bit of a 64-bit frame length is set'],
    ['a small one in the long form', header(0, 5), 1002, 'a frame length is not in its shortest form'],
  ])('a frame of %s: refused by its header', async (_, bytes, code, error) => {
    for (const kind of ['web', 'script']) {
      const from = daemon.out.length;
      const attacker = await ATTACKERS[kind](daemon.port);
      attacker.peer.write(bytes);
      expect(await attacker.fate()).toEqual(refusal(code, error));
      attacker.peer.destroy();
      await daemon.said(code === 1009 ? /WARN #\d+ .*: over \[limits\] maxPayload: / : /closed: 1002 /, from);
    }
    await bystanders.areServed();
  });

  test.each([
    ['4294967296', 413],
    ['9007199254740993', 413],
    ['99999999999999999999999999', 400],
    ['-1', 400],
    ['1e3', 400],
    ['0x10', 400],
  ])('a body of %s bytes: %d', async (length, status) => {
    const peer = await RawPeer.open({ port: daemon.port });
    peer.write(`POST /php HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${length}\r\n\r\n{`);
    expect((await peer.response()).status).toBe(status);
    peer.destroy();
    await bystanders.areServed();
  });
});

describe('more pieces than may be', () => {
  test('16,384 fragments of a byte are a message, 16,385 are refused with 1009', async () => {
    const fragments = (count: number): Buffer => {
      const text = `{"opcode":"echo","x":"${'y'.repeat(count - 24)}"}`;
      expect(text).toHaveLength(count);
      return Buffer.concat(Array.from(text).map((c, i) => clientFrame(c, i === 0 ? 1 : 0, i === count - 1)));
    };
    const attacker = await ATTACKERS.web(daemon.port);
    attacker.peer.write(fragments(16_384));
    expect(await attacker.hear()).toHaveLength(16_384);
    expect(await attacker.hear()).toBe(NEXT);
    const from = daemon.out.length;
    attacker.peer.write(fragments(16_385));
    expect(await attacker.fate()).toEqual(refusal(1009, 'a message of more than 16384 frames'));
    attacker.peer.destroy();
    await daemon.said(
      /WARN #\d+ 127\.0\.0\.1 \/web: over \[limits\] maxFragments: a message of more than 16384 frames\n/,
      from,
    );
    await bystanders.areServed();
  });

  test('16,385 fragments without a byte are refused as well', async () => {
    const attacker = await ATTACKERS.web(daemon.port);
    const empty = Array.from({ length: 16_385 }, (_, i) => clientFrame('', i === 0 ? 2 : 0, false));
    attacker.peer.write(Buffer.concat(empty));
    expect(await attacker.fate()).toEqual(refusal(1009, 'a message of more than 16384 frames'));
    attacker.peer.destroy();
    await bystanders.areServed();
  });

  test.each(['web', 'line'])(
    '10,000 pieces after bufferON are taken, from a %s client; 10,001 are refused with 1009',
    async (kind) => {
      const attacker = await ATTACKERS[kind](daemon.port);
      const text = `{"opcode":"echo","x":"${'y'.repeat(10_000 - 24)}"}`;
      const pieces =
        kind === 'line'
          ? Array.from(text)
              .map((c) => `${c}\n`)
              .join('')
          : Buffer.concat(Array.from(text).map((c) => clientFrame(c)));
      attacker.say('bufferON');
      attacker.peer.write(pieces);
      attacker.say('bufferOFF');
      for (let i = 0; i < 10_002; i++) expect(await attacker.hear()).toBe(NEXT);
      expect(await attacker.hear()).toBe(text);
      const from = daemon.out.length;
      attacker.say('bufferON');
      attacker.peer.write(pieces);
      attacker.say('z');
      for (let i = 0; i < 10_001; i++) expect(await attacker.hear()).toBe(NEXT);
      const expected = refusal(1009, 'a message of more than 10000 pieces');
      expect(await attacker.fate()).toEqual(kind === 'line' ? expected.slice(0, 1) : expected);
      attacker.peer.destroy();
      await daemon.said(/WARN #\d+ .*: over \[limits\] maxChunks: a message of more than 10000 pieces\n/, from);
      await bystanders.areServed();
    },
  );
});
