import { describe, expect, test } from '@jest/globals';
import type { EngineOptions } from '../../src/wire/engine.ts';
import { LineEngine } from '../../src/wire/lines.ts';
import { bytesOf, type Found, hex, Recorder } from '../support/frames.ts';
import { feed, OPTIONS } from '../support/feed.ts';
import { engineContract } from './contract.ts';

engineContract({
  name: 'LineEngine',
  create: (receiver, options) => new LineEngine(receiver, options),
  text: (content) => Buffer.from(`${content}\n`),
});

function decode(input: Buffer | string, options: Partial<EngineOptions> = {}): Found[] {
  const bytes = bytesOf(input);
  const make = (sizes: number[]): Found[] =>
    feed((receiver) => new LineEngine(receiver, { ...OPTIONS, ...options }), bytes, sizes).all();
  const whole = make([bytes.length + 1]);
  for (const sizes of [[1], [3], [2, 5]]) expect(make(sizes)).toEqual(whole);
  return whole;
}

const said = (...texts: string[]): Found[] =>
  texts.map((text) => ({ message: Buffer.from(text).toString('latin1'), binary: false }));

describe('lines', () => {
  test('LF and CRLF end a line; a CR elsewhere is part of it', () => {
    expect(decode('a\nb\r\nc\rd\n\re\r\r\n')).toEqual(said('a', 'b', 'c\rd', '\re\r'));
  });

  test('empty lines are messages', () => {
    expect(decode('\n\r\n\nx\n')).toEqual(said('', '', '', 'x'));
  });

  test('the last line without its LF is handed over at end(), once, its CR taken off', () => {
    expect(decode('a\nlast')).toEqual(said('a', 'last'));
    expect(decode('a\nlast\r')).toEqual(said('a', 'last'));
    expect(decode('a\n')).toEqual(said('a'));
    const recorder = new Recorder();
    const engine = new LineEngine(recorder, OPTIONS);
    engine.decode(Buffer.from('la'));
    engine.decode(Buffer.from('st'));
    expect(recorder.found).toEqual([]);
    engine.end();
    engine.end();
    engine.decode(Buffer.from('more\n'));
    expect(recorder.found).toEqual(said('last'));
  });

  test('end() while held waits: everything kept is still handed over', () => {
    const recorder = new Recorder();
    const engine = new LineEngine(recorder, OPTIONS);
    recorder.holds = () => true;
    engine.decode(Buffer.from('a\nb\nlast'));
    for (const expected of [['a'], ['a', 'b'], ['a', 'b', 'last']]) {
      if (expected.length > 1) {
        recorder.held = false;
        engine.resume();
      }
      engine.end();
      expect(recorder.found).toEqual(said(...expected));
    }
  });
});

describe('maxPayload', () => {
  const options = { maxPayload: 5 };

  test('the line end does not count, neither LF nor CRLF', () => {
    expect(decode('12345\n12345\r\n12345', options)).toEqual(said('12345', '12345', '12345'));
    expect(decode('12345\r', options)).toEqual(said('12345'));
  });

  test.each(['123456\n', '123456\r\n', '12345\rX\n', '123456', '12345\r\r\n'])('%j is too long', (input) => {
    expect(decode(`ok\n${input}`, options)).toEqual([...said('ok'), { fault: 'maxPayload' }]);
  });

  test('it is bytes that count', () => {
    expect(decode('ää1\n', options)).toEqual(said('ää1'));
    expect(decode('äää\n', options)).toEqual([{ fault: 'maxPayload' }]);
  });

  test('a line that can only be too long is refused before its end comes', () => {
    const recorder = new Recorder();
    const engine = new LineEngine(recorder, { ...OPTIONS, ...options });
    engine.decode(Buffer.from('123456'));
    expect(recorder.found).toEqual([]); // it may be a CR yet
    engine.decode(Buffer.from('7'));
    expect(recorder.found).toEqual([{ fault: 'maxPayload' }]);
    expect(recorder.texts[0]).toContain('more than 5 bytes');
  });
});

describe('UTF-8', () => {
  test.each(['c3', '80', 'eda080', 'f09f99', 'ff'])('a line with %s in it is a fault', (bad) => {
    const input = Buffer.concat([Buffer.from('good ä\nbad '), hex(bad), Buffer.from('\nlater\n')]);
    expect(decode(input)).toEqual([...said('good ä'), { fault: 'utf8' }]);
  });

  test('the last line is checked too', () => {
    expect(decode(Buffer.concat([Buffer.from('x'), hex('c3')]))).toEqual([{ fault: 'utf8' }]);
  });

  test('what starts with rawPrefix is handed over as it is, and so is everything while raw', () => {
    const rawPrefix = Buffer.from('bufferON');
    const cut = Buffer.concat([rawPrefix, hex('f09f')]);
    const shown = { message: cut.toString('latin1'), binary: false };
    const bad = Buffer.concat([hex('9f99'), Buffer.from('\n')]);
    expect(decode(Buffer.concat([cut, Buffer.from('\n'), bad]), { rawPrefix })).toEqual([shown, { fault: 'utf8' }]);
    expect(decode(cut)).toEqual([{ fault: 'utf8' }]);
    const recorder = new Recorder();
    const engine = new LineEngine(recorder, OPTIONS);
    engine.raw = true;
    recorder.inMessage = (index) => {
      engine.raw = index < 1;
    };
    engine.decode(Buffer.concat([bad, bad, bad]));
    expect(recorder.found).toEqual([
      { message: '\x9f\x99', binary: false },
      { message: '\x9f\x99', binary: false },
      { fault: 'utf8' },
    ]);
  });
});

describe('what it writes', () => {
  const engine = new LineEngine(new Recorder(), OPTIONS);

  test('one line for each message: line ends inside become spaces', () => {
    expect(engine.prefix() + engine.clean('{"a":\r\n1,\n"b":2}') + engine.suffix).toBe('{"a":  1, "b":2}\n');
    expect(engine.clean('plain')).toBe('plain');
    const bytes = Buffer.from('a\rb\nc');
    expect(engine.cleanBytes(bytes).toString()).toBe('a b c');
    expect(bytes.toString()).toBe('a\rb\nc');
    const clean = Buffer.from('abc');
    expect(engine.cleanBytes(clean)).toBe(clean);
  });

  test('there are no control frames', () => {
    expect([engine.closeFrame(), engine.pingFrame(), engine.pongFrame()]).toEqual(['', '', '']);
  });
});
