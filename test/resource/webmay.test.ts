import { describe, expect, test } from '@jest/globals';
import { TestBench, type TestClient } from 'websock/testing';
import Default from '../../resources/default.ts';
import Php from '../../resources/php.ts';
import Web from '../../resources/web.ts';

// A web client that tries to do what webMay does not list, or to reach whom it may not (PROTOCOL.md §5).

const NEXT = { opcode: 'next', fyi: '' };
const NOT_ALLOWED = { ...NEXT, error: 'not allowed' };
const NOBODY = { ...NEXT, delivered: 0 };

interface Room {
  page: TestClient;
  /** Whom nothing may reach: a page and backends, by names that an attacker might think of. */
  others: TestClient[];
  screen: TestClient;
}

async function room(webMay?: string[]): Promise<Room> {
  const bench = new TestBench({ webMay }).mount(Default).mount(Web).mount(Php);
  const page = await bench.connect({}, '/');
  const screen = await bench.connect({ ident: 'screen' }, '/web');
  const idents = ['7', '0', '-0', '1000', '9007199254740992', '9007199254740993', '1e+21', 'Infinity', 'null', 'true'];
  const names = [...idents, '__proto__', 'constructor', '[object Object]', 'screen,x', 'undefined', ' screen'];
  const named = await Promise.all(names.map((ident) => bench.connect({ scheme: 'tcp', ident }, '/php')));
  return { page, screen, others: [screen, ...named] };
}

/** Says `message` and leaves nobody the wiser. @returns its `next`. */
async function inVain(webMay: string[] | undefined, message: string | Buffer): Promise<unknown> {
  const { page, others } = await room(webMay);
  const next = await page.say(message);
  expect(others.map(({ received }) => received)).toEqual(others.map(() => []));
  expect(page.received).toEqual([]);
  return next ?? page.closed?.code;
}

describe('an opcode that is not listed', () => {
  test.each([
    ['{"opcode":"broadcast"}', NOT_ALLOWED],
    // The same, written otherwise
    ['{"\\u006fpcode":"\\u0062roadcast"}', NOT_ALLOWED],
    [' \t\r\n{ "opcode" : "broadcast" } \n', NOT_ALLOWED],
    ['{"opcode":"echo","opcode":"broadcast"}', NOT_ALLOWED],
    ['{"x":{"opcode":"echo"},"opcode":"broadcast"}', NOT_ALLOWED],
    [Buffer.from('{"opcode":"broadcast"}'), NOT_ALLOWED],
    // Others that look like it: nothing is done for them
    ['{"opcode":"BROADCAST"}', NEXT],
    ['{"opcode":"Broadcast"}', NEXT],
    ['{"opcode":" broadcast"}', NEXT],
    ['{"opcode":"broadcast "}', NEXT],
    ['{"opcode":"broadcast\\u0000"}', NEXT],
    ['{"opcode":"broadcast\\n"}', NEXT],
    ['{"opcode":"brоadcast"}', NEXT], // a Cyrillic о
    ['{"opcode":"ｂroadcast"}', NEXT], // full width
    ['{"opcode":"broadc\\u0061\\u0301st"}', NEXT],
    ['{"opcode":"broad\\u200bcast"}', NEXT],
    ['{"opcode":"feedback-ident","ident":"screen"}', NEXT],
    ['{"opcode":"__proto__"}', NEXT],
    ['{"opcode":"constructor"}', NEXT],
    ['{"opcode":""}', NEXT],
    ['{"opcode":"next","fyi":"","error":"x"}', NEXT],
    ['{"opcode":"broadcast","opcode":"nothing"}', NEXT],
    // No packets: 1007
    ['{"opcode":["broadcast"]}', 1007],
    ['{"opcode":{"toString":"broadcast"}}', 1007],
    ['{"opcode":7}', 1007],
    ['{"opcode":null}', 1007],
    ['{"opcode":true}', 1007],
    ['{"Opcode":"broadcast"}', 1007],
    ['{"__proto__":{"opcode":"broadcast"}}', 1007],
    ['["opcode","broadcast"]', 1007],
    ['"broadcast"', 1007],
    ['\ufeff{"opcode":"broadcast"}', 1007],
    ['{"opcode":"broadcast"}{"opcode":"broadcast"}', 1007],
    ["{'opcode':'broadcast'}", 1007],
    ['opcode=broadcast', 1007],
  ])('%p: %j', async (message, expected) => {
    expect(await inVain(['echo', 'feedback', 'feedback-ident'], message)).toEqual(expected);
  });
});

describe('to address somebody by a name, which webMay does not list', () => {
  test.each([
    ['{"ident":"screen"}', NOT_ALLOWED],
    ['{"uuid":"","ident":"screen"}', NOT_ALLOWED],
    ['{"uuid":["x"],"ident":"screen"}', NOT_ALLOWED],
    ['{"uuid":true,"ident":"screen"}', NOT_ALLOWED],
    ['{"uuid":null,"ident":"screen"}', NOT_ALLOWED],
    ['{"uuid":7,"ident":7}', NOT_ALLOWED],
    ['{"ident":7}', NOT_ALLOWED],
    ['{"ident":0}', NOT_ALLOWED],
    ['{"uuid":"x","uuid":"","ident":"screen"}', NOT_ALLOWED],
    ['{"ident":"x","ident":"screen"}', NOT_ALLOWED],
    ['{"id\\u0065nt":"screen"}', NOT_ALLOWED],
    ['{"ident":"__proto__"}', NOT_ALLOWED],
    // A uuid goes first: then it is the uuid of nobody
    ['{"uuid":"screen","ident":"screen"}', NOBODY],
    ['{"uuid":"__proto__","ident":"screen"}', NOBODY],
    ['{"uuid":" ","ident":"screen"}', NOBODY],
    // What is no name
    ['{"Ident":"screen","IDENT":"screen"}', NOBODY],
    ['{"ident ":"screen"}', NOBODY],
    ['{"ident":["screen"]}', NOBODY],
    ['{"ident":{"toString":"screen"}}', NOBODY],
    ['{"__proto__":{"ident":"screen","uuid":"x"}}', NOBODY],
    ['{"constructor":{"prototype":{"ident":"screen"}}}', NOBODY],
    ['{"ident":true}', NOBODY],
    ['{"ident":null}', NOBODY],
    ['{"ident":""}', NOBODY],
  ])('%s: %j', async (fields, expected) => {
    expect(await inVain(undefined, `{"opcode":"feedback",${fields.slice(1)}`)).toEqual(expected);
  });

  test('nothing of one packet is left in the next', async () => {
    const { page, others } = await room();
    await page.say('{"opcode":"x","__proto__":{"ident":"screen"},"constructor":{"prototype":{"uuid":"x"}}}');
    expect(await page.say('{"opcode":"feedback"}')).toEqual(NOBODY);
    expect(others.flatMap(({ received }) => received)).toEqual([]);
  });
});

describe('a number as a name, where names may be used', () => {
  const MAY = ['feedback', 'feedback-ident'];

  test.each([
    ['9007199254740992', []],
    ['9007199254740993', []],
    ['-9007199254740993', []],
    ['1e21', []],
    ['1e400', []],
    ['7.5', []],
    ['7', ['7']],
    ['7.0', ['7']],
    ['70e-1', ['7']],
    ['1e3', ['1000']],
    ['-0', ['0']],
    ['"-0"', ['-0']],
    ['"9007199254740993"', ['9007199254740993']],
    ['"__proto__"', ['__proto__']],
    ['"ｓcreen"', []],
    ['"Screen"', []],
    ['"screen"', ['screen']],
    ['" screen"', [' screen']],
  ])('%s reaches %j', async (ident, reached) => {
    const { page, others } = await room(MAY);
    const text = `{"opcode":"feedback","ident":${ident}}`;
    expect(await page.say(text)).toEqual({ ...NEXT, delivered: reached.length });
    const got = others.filter(({ received }) => received.length > 0);
    expect(got.map((client) => [client.ident, client.received])).toEqual(reached.map((name) => [name, [text]]));
  });
});

describe('feedback by uuid, which webMay lists', () => {
  test('reaches exactly the text of the uuid', async () => {
    const { page, screen, others } = await room();
    const { uuid } = screen;
    for (const name of [
      `${uuid} `,
      ` ${uuid}`,
      `{${uuid}}`,
      `urn:uuid:${uuid}`,
      uuid.replaceAll('-', ''),
      `${uuid}\0`,
    ]) {
      expect(await page.say({ opcode: 'feedback', uuid: name })).toEqual(NOBODY);
    }
    for (const value of [[uuid], { uuid }, [[uuid]]]) {
      expect(await page.say({ opcode: 'feedback', uuid: value })).toEqual(NOBODY);
    }
    expect(others.flatMap(({ received }) => received)).toEqual([]);
    expect(await page.say({ opcode: 'feedback', uuid, ident: '7' })).toEqual({ ...NEXT, delivered: 1 });
    expect(others.filter(({ received }) => received.length > 0)).toEqual([screen]);
  });
});
