import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { parseExtensions } from '../../src/wire/extensions.ts';

/** As the header would have it, with values in quotes where they are to be. */
function shown(header: string): string | null {
  const found = parseExtensions(header);
  if (found === null) return null;
  const param = ([name, value]: readonly [string, string | null]): string =>
    value === null ? name : `${name}=${value}`;
  return found.map(({ name, params }) => [name, ...params.map(param)].join(';')).join(',');
}

describe('Sec-WebSocket-Extensions (RFC 6455 §9.1)', () => {
  test.each([
    ['foo', 'foo'],
    ['foo; bar; baz=2', 'foo;bar;baz=2'],
    ['foo;bar=1,foo;bar=2, other', 'foo;bar=1,foo;bar=2,other'],
    [' foo \t;\tbar = 10 , x', 'foo;bar=10,x'],
    ['permessage-deflate; client_max_window_bits', 'permessage-deflate;client_max_window_bits'],
    ["!#$%&'*+-.^_`|~09aZ", "!#$%&'*+-.^_`|~09aZ"],
    // A repeated parameter is for the extension to judge.
    ['foo; a=1; a=2', 'foo;a=1;a=2'],
    // Quoted, the value is what is in it; a backslash quotes the next character.
    ['foo; a="10"', 'foo;a=10'],
    ['foo; a = "10" ; b, bar', 'foo;a=10;b,bar'],
    [String.raw`foo; a="1\0"`, 'foo;a=10'],
    // RFC 9110 §5.6.1.2: empty elements of a list are passed over.
    [', foo,, bar ,', 'foo,bar'],
  ])('%s', (header, expected) => {
    expect(shown(header)).toBe(expected);
  });

  test.each([
    ['', 'nothing at all'],
    [' , ,', 'no extension'],
    ['foo bar', 'two tokens'],
    ['foo;', 'no parameter after ;'],
    ['foo;;a', 'an empty parameter'],
    ['foo; a=', 'no value after ='],
    ['foo; =1', 'a value without a name'],
    ['foo; a=b=c', 'two values'],
    ['foo; a="1', 'a quotation that does not end'],
    ['foo; a="1"2', 'something after a quotation'],
    ['foo; a="x y"', 'quoted, what is no token'],
    ['foo; a=""', 'quoted, nothing'],
    ['foo; a="1,2"', 'quoted, a comma'],
    ['"foo"', 'a quoted name'],
    ['foo=1', 'a value of the extension itself'],
    ['foo; a=(1)', 'a value that is no token'],
    ['föö', 'a name that is no token'],
    ['foo; a="\\"', 'a quotation that a backslash keeps open'],
  ])('"MUST immediately _Fail the WebSocket Connection_": %s (%s)', (header) => {
    expect(shown(header)).toBeNull();
  });

  test('the examples of §9.1', () => {
    expect(shown('foo')).toBe('foo');
    expect(shown('bar; baz=2')).toBe('bar;baz=2');
    expect(shown('foo, bar; baz=2')).toBe('foo,bar;baz=2');
    expect(shown('deflate-stream')).toBe('deflate-stream');
    expect(shown('mux; max-channels=4; flow-control, deflate-stream')).toBe(
      'mux;max-channels=4;flow-control,deflate-stream',
    );
    expect(shown('private-extension')).toBe('private-extension');
  });

  test('any text: an answer, in time that grows with its length alone', () => {
    const parts = fc.constantFrom('foo', ';', ',', '=', '"', '\\', ' ', '\t', '10', 'a', 'é', '""');
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 300 }), (texts) => {
        const found = parseExtensions(texts.join(''));
        expect(found === null || found.length > 0).toBe(true);
      }),
      { numRuns: 500 },
    );
    // A head may be that long.
    expect(parseExtensions(`foo; a="${'\\"'.repeat(4000)}`)).toBeNull();
    expect(parseExtensions(' '.repeat(8000))).toBeNull();
    expect(parseExtensions(','.repeat(8000))).toBeNull();
  });
});
