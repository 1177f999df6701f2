import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { parse } from 'ini';
import { readIni } from '../../src/config/ini.ts';

/** `line: problem` of each problem, the key before it where there is one. */
function problems(text: string): string[] {
  return readIni(text).problems.map(({ line, section, key, problem }) => {
    const place = `${section === '' ? '' : `[${section}] `}${key ?? ''}`.trim();
    return `${line}${place === '' ? '' : ` ${place}`}: ${problem}`;
  });
}

/** `section.key=text` of each entry. */
function entries(text: string): string[] {
  const ini = readIni(text);
  expect(ini.problems).toEqual([]);
  return ini.entries.map(({ section, key, text: value }) => `${section === '' ? '' : `${section}.`}${key}=${value}`);
}

const OWN = 'a comment goes on a line of its own';

describe('what ini would swallow in silence', () => {
  test.each([
    ['a=b ; c', `2 a: ; outside quotes would cut the value off there: put the value into quotes; ${OWN}`],
    ['a=b#c', `2 a: # outside quotes would cut the value off there: put the value into quotes; ${OWN}`],
    ['a=;', `2 a: ; outside quotes would cut the value off there: put the value into quotes; ${OWN}`],
    ['a=\\\\;b', `2 a: ; outside quotes would cut the value off there: put the value into quotes; ${OWN}`],
    ["a='b' ; c", `2 a: text after the closing ': ${OWN}, and a value that holds ' goes into double quotes`],
    ["a='b'c'", `2 a: text after the closing ': ${OWN}, and a value that holds ' goes into double quotes`],
    ['a="b" c', `2 a: text after the closing ": ${OWN}, and a " inside the value is written \\"`],
    ['a="b"c"', `2 a: text after the closing ": ${OWN}, and a " inside the value is written \\"`],
    ["a='b", "2 a: the value begins with ', and no ' ends it"],
    ["a='", "2 a: the value begins with ', and no ' ends it"],
    ['a="b\\"', '2 a: the value begins with ", and no " ends it'],
    [
      'a="C:\\x"',
      '2 a: what is in double quotes is read as JSON, and it is not valid JSON: a \\ is written \\\\, or use single quotes',
    ],
    ['a=\'"b"\'', '2 a: ini would take off both pairs of quotes; a value that is itself in " is written "\\"so\\""'],
    ['[a] b', `2: text after the section: ${OWN}`],
    ['[a] ; b', `2: text after the section: ${OWN}`],
    ['[a', '2: the section is never closed: ] is missing'],
    ['[a=b', '2: the section is never closed: ] is missing'],
    [' [a]', '2: a section begins at the start of its line, without spaces before ['],
    ['[]', '2: the section has no name'],
    ['a', '2: the line has no =; allowed: key=value, [section], or a comment after ;'],
    ['=b', '2: there is no key before the ='],
    [' =b', '2: there is no key before the ='],
    ['a=1\na=2', '3 a: it is set in line 2 already'],
    ['[s]\na=1\n[t]\na=1\n[s]\na=1', '7 [s] a: it is set in line 3 already'],
    ['s=1\n[s]', '2 s: [s] in line 3 has the same name'],
    ['[s.t]\nb=1\n[s]\nt=1', '5 [s] t: [s.t] in line 2 has the same name'],
    ['s=1\n[s.t]', '2 s: [s.t] in line 3 has the same name'],
    ['s.t=1\n[s.t]', '2 s.t: [s.t] in line 3 has the same name'],
    ['[__proto__]', '2: [__proto__] cannot be the name of a section'],
    ['[a.constructor]', '2: [a.constructor] cannot be the name of a section'],
    ['__proto__=1', '2: __proto__ cannot be a key'],
    ['[s]\nconstructor=1', '3 [s]: constructor cannot be a key'],
    ['a[]=1', '2: a[] would be an array; allowed: a= once, with a list separated by commas'],
    ['a;b=1', '2: the key holds one of ; # \\ \' " [ ]'],
    ['"a"=1', '2: the key holds one of ; # \\ \' " [ ]'],
    ['a\u2028=1', '2: the line holds a control character'],
    ['a=b\0c', '2: the line holds a control character'],
    ['a=b\fc', '2: the line holds a control character'],
  ])('%j', (line, problem) => {
    expect(problems(`; comment\n${line}`)).toEqual([problem]);
  });

  test.each(['a.b.c', 'a b', '"a"', 'a\\.b', 'a;b', 'a..b', '.a', 'ä', '/a.b', '/a b', '/a;b', "/'a'", '/a\\'])(
    '[%s] as the name of a section',
    (name) => {
      expect(problems(`[${name}]`)).toEqual([
        `1: [${name}] cannot be the name of a section; allowed: letters, digits, _ and -, and one dot as in [tls.NAME]; or a path, as in [/chat], without a dot`,
      ]);
    },
  );

  test('all of them are found, and the keys below a bad section are nobody else’s', () => {
    expect(problems('a\n[b\nc=1\nc=1\nd=;\n[e]\nc=1')).toEqual([
      '1: the line has no =; allowed: key=value, [section], or a comment after ;',
      '2: the section is never closed: ] is missing',
      `5 d: ; outside quotes would cut the value off there: put the value into quotes; ${OWN}`,
    ]);
    expect(readIni('[b\nc=1\n[e]\nc=2').entries).toEqual([{ section: 'e', key: 'c', line: 4, text: '2', bare: true }]);
  });
});

describe('what is taken', () => {
  test.each([
    ['a=b', ['a=b']],
    [' a = b ', ['a=b']],
    ['\uFEFFa=b\r\n[s]\r\nc=d\r\n', ['a=b', 's.c=d']],
    ["a='b;c#d'", ['a=b;c#d']],
    ['a="b;c\\"\\u00e4"', ['a=b;c"ä']],
    ['a=b\\;c\\#d\\\\e\\f', ['a=b;c#d\\e\\f']],
    ['a=b\\', ['a=b\\']],
    ["a='it''", undefined],
    ['a=', ['a=']],
    ["a=''", ['a=']],
    ['a=""', ['a=']],
    ['a=ws://h?x=y', ['a=ws://h?x=y']],
    ["a='12345678901234567890'", ['a=12345678901234567890']],
    ["a='1.50'", ['a=1.50']],
    ["a='null'\nb='true'", ['a=null', 'b=true']],
    ["a='[1]'", ['a=[1]']],
    ["a=' b '", ['a= b ']],
    ["a=it's", ["a=it's"]],
    ['# c\n ; d\n\t\n[ s ]\na=1', ['s.a=1']],
    ['[tls.a-1]\nb=c\n[tls]\nb=d', ['tls.a-1.b=c', 'tls.b=d']],
    ['[a]\n[a]\nb=1', ['a.b=1']],
    ['[/]\na=1\n[/a/b-c~:@%20]\nb=true', ['/.a=1', '/a/b-c~:@%20.b=true']],
  ])('%j', (text, expected) => {
    if (expected === undefined) expect(problems(text)).toHaveLength(1);
    else expect(entries(text)).toEqual(expected);
  });

  test('the lines are numbered as an editor does', () => {
    expect(readIni('a=1\r\n\r\nb=2\n\nc=3').entries.map(({ line }) => line)).toEqual([1, 3, 5]);
  });
});

/** What matters to an ini parser. */
const piece = fc.constantFrom(
  ...'a b tls limits = = = \' " \\ ; # [ ] [a] [tls.b] . null true 1 [] __proto__ constructor {"a":1} ,'.split(' '),
  ' ',
  '\t',
  '\r',
  '\u2028',
  '\0',
  '\uFEFF',
);
const noise = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''));
const likely = fc
  .tuple(fc.constantFrom('a', 'b', 'c', 'tls.b', ' a '), fc.constantFrom('', "'", '"'), noise)
  .map(([key, quote, value]) => `${key}=${quote}${value}${quote}`);
const header = fc.constantFrom('[a]', '[b]', '[tls]', '[tls.b]', '[ a ]', '[/a]', '[/a/b]');
const text = fc
  .array(
    fc.oneof({ weight: 6, arbitrary: likely }, { weight: 3, arbitrary: header }, { weight: 1, arbitrary: noise }),
    {
      maxLength: 4,
    },
  )
  .map((lines) => lines.join('\n'));

describe('any text', () => {
  test('either has a problem, or is read exactly as the ini package reads it', () => {
    let read = 0;
    fc.assert(
      fc.property(text, (content) => {
        const ini = readIni(content);
        if (ini.problems.length > 0) return;
        // ini nests `a.b=null` outside sections, over `b` in [a] even. No option has a dot in its key: it is a warning.
        if (ini.entries.some(({ section, key }) => section === '' && key.includes('.'))) return;
        read += ini.entries.length;
        const found: Record<string, unknown> = parse(content.replace(/^\uFEFF/, ''));
        const leaves = new Map<string, unknown>();
        const walk = (tree: object, path: string[]): void => {
          for (const [key, value] of Object.entries(tree) as [string, unknown][]) {
            const here = [...path, key];
            const inner = typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === null;
            if (inner) walk(value, here);
            else leaves.set(here.join('\n'), value);
          }
        };
        walk(found, []);
        expect(leaves.size).toBe(ini.entries.length);
        for (const { section, key, text: value } of ini.entries) {
          const path = [...(section === '' ? [] : section.split('.')), key].join('\n');
          expect(leaves.has(path)).toBe(true);
          const theirs = leaves.get(path);
          // Else ini has made JSON of the word, or of what is in the quotes: then the word as written is ours.
          if (typeof theirs === 'string') expect(value).toBe(theirs);
          else expect(JSON.parse(value)).toEqual(theirs);
        }
      }),
      { numRuns: 3000 },
    );
    expect(read).toBeGreaterThan(500);
  });
});
