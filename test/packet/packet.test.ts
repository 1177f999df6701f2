import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { WebsockError } from '../../src/errors.ts';
import { closePacket, NEXT, nextPacket, parsePacket, readyPacket } from '../../src/packet/packet.ts';

/** What parsePacket throws. */
function refusal(message: string | Buffer): WebsockError {
  try {
    parsePacket(message);
  } catch (error) {
    if (error instanceof WebsockError) return error;
    throw error;
  }
  throw new Error(`taken: ${message.toString().slice(0, 100)}`);
}

describe('parsePacket', () => {
  test.each([
    ['', 'it is not JSON'],
    ['hello', 'it is not JSON'],
    ['{"opcode":"echo"', 'it is not JSON'],
    ['{"opcode":"echo"} x', 'it is not JSON'],
    ["{'opcode':'echo'}", 'it is not JSON'],
    ['\ufeff{"opcode":"echo"}', 'it is not JSON'],
    ['null', 'it is not a JSON object'],
    ['1', 'it is not a JSON object'],
    ['"opcode"', 'it is not a JSON object'],
    ['true', 'it is not a JSON object'],
    ['[{"opcode":"echo"}]', 'it is not a JSON object'],
    ['{}', 'its "opcode" is not a string'],
    ['{"Opcode":"echo"}', 'its "opcode" is not a string'],
    ['{"opcode":1}', 'its "opcode" is not a string'],
    ['{"opcode":null}', 'its "opcode" is not a string'],
    ['{"opcode":["echo"]}', 'its "opcode" is not a string'],
    ['{"__proto__":{"opcode":"quit"}}', 'its "opcode" is not a string'],
  ])('%j is no packet: it says why, and closes with 1007', (message, why) => {
    for (const form of [message, Buffer.from(message)]) {
      const error = refusal(form);
      expect([error.message, error.code, error.closeCode]).toEqual([
        `not a valid packet: ${why}`,
        'WEBSOCK_PACKET',
        1007,
      ]);
    }
  });

  test('bytes that are not UTF-8', () => {
    expect(refusal(Buffer.from('7b226f70636f6465223a22ff227d', 'hex')).message).toBe(
      'not a valid packet: it is not UTF-8',
    );
  });

  test('a packet, from text and from bytes', () => {
    const text = ' {"opcode":"echo","message":"Größe 🙂","n":[1,{"a":null}]}\n';
    const packet = { opcode: 'echo', message: 'Größe 🙂', n: [1, { a: null }] };
    expect(parsePacket(text)).toEqual(packet);
    expect(parsePacket(Buffer.from(text))).toEqual(packet);
    expect(parsePacket('{"opcode":""}')).toEqual({ opcode: '' });
  });

  test('__proto__ is a field like any other', () => {
    const packet = parsePacket('{"opcode":"echo","__proto__":{"admin":true},"constructor":1}');
    expect(Object.keys(packet)).toEqual(['opcode', '__proto__', 'constructor']);
    expect(packet.admin).toBeUndefined();
    expect(({} as Record<string, unknown>).admin).toBeUndefined();
  });

  test('100,000 levels of nesting do not end the program', () => {
    const deep = '['.repeat(100_000);
    expect(refusal(deep).closeCode).toBe(1007);
    expect(refusal(deep + ']'.repeat(100_000)).closeCode).toBe(1007);
    let packet: { opcode: string } | WebsockError;
    try {
      packet = parsePacket(`{"opcode":"echo","a":${deep}${']'.repeat(100_000)}}`);
    } catch (error) {
      packet = error as WebsockError;
    }
    expect('opcode' in packet ? packet.opcode : packet.closeCode).toBe('echo');
  });

  test('PROPERTY: any JSON value is a packet or refused with 1007', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        let good = false;
        try {
          const value: unknown = JSON.parse(text);
          good = typeof (value as { opcode?: unknown } | null)?.opcode === 'string' && !Array.isArray(value);
        } catch {
          // Not JSON.
        }
        if (good) expect(parsePacket(text)).toEqual(JSON.parse(text));
        else expect(refusal(text).closeCode).toBe(1007);
      }),
    );
  });
});

describe('packets that we send', () => {
  test('are these bytes', () => {
    expect(NEXT).toBe('{"opcode":"next","fyi":""}');
    expect(nextPacket({})).toBe(NEXT);
    expect(nextPacket({ delivered: 3 })).toBe('{"opcode":"next","fyi":"","delivered":3}');
    expect(nextPacket({ error: 'not allowed' })).toBe('{"opcode":"next","fyi":"","error":"not allowed"}');
    expect(nextPacket({ fyi: 'so you know' })).toBe('{"opcode":"next","fyi":"so you know"}');
    expect(readyPacket('5ae2')).toBe('{"opcode":"ready","uuid":"5ae2"}');
    expect(closePacket('no "x"\n')).toBe('{"opcode":"close","error":"no \\"x\\"\\n"}');
  });

  test('no field makes another packet of a next', () => {
    for (const fields of [
      { opcode: 'close' },
      { opcode: undefined },
      JSON.parse('{"__proto__":{"opcode":"close"},"opcode":"ready"}') as Record<string, unknown>,
      Object.create({ opcode: 'close' }) as Record<string, unknown>,
    ]) {
      const packet = parsePacket(nextPacket(fields));
      expect(packet.opcode).toBe('next');
      expect(Object.keys(packet)[0]).toBe('opcode');
    }
  });

  test('PROPERTY: a next with any fields is a next', () => {
    const name = fc.string().filter((each) => each !== '__proto__');
    fc.assert(
      fc.property(fc.dictionary(name, fc.jsonValue()), (fields) => {
        expect(parsePacket(nextPacket(fields))).toEqual({
          fyi: '',
          ...(JSON.parse(JSON.stringify(fields)) as object),
          opcode: 'next',
        });
      }),
    );
  });
});
