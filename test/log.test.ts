import { describe, expect, test } from '@jest/globals';
import { describeThrown, traceOf } from '../src/errors.ts';
import { printable, excerpt } from '../src/log.ts';

describe('printable', () => {
  test.each([
    ['a line', 'a\r\nb', 'a\\x0d\\x0ab'],
    ['NUL and a tab', '\0\t', '\\x00\\x09'],
    ['an escape sequence', '\u001b]0;title\u0007', '\\x1b]0;title\\x07'],
    ['DEL', '\u007f', '\\x7f'],
    ['NEL and CSI, of C1', '\u0085\u009b2J', '\\x85\\x9b2J'],
    ['the line separators of Unicode', '\u2028\u2029', '\\u2028\\u2029'],
    ['an override of the direction', 'a\u202egnp.exe', 'a\\u202egnp.exe'],
    ['all that turn text around', '\u061c\u200e\u200f\u202a\u2066\u2069', '\\u061c\\u200e\\u200f\\u202a\\u2066\\u2069'],
    ['a high surrogate alone', 'a\ud83db', 'a\\ud83db'],
    ['a low one', '\ude00', '\\ude00'],
    ['two in the wrong order', '\ude00\ud83d', '\\ude00\\ud83d'],
    ['two high ones, then a low one', '\ud83d\ud83d\ude00', '\\ud83d😀'],
  ])('%s', (_, text, safe) => {
    expect(printable(text)).toBe(safe);
    expect(printable(safe)).toBe(safe);
  });

  test.each(['plain', 'Grüße, 你好, שלום, مرحبا', '😀👩‍👩‍👧', '%s %d \\x1b', 'a\u00a0b'])('%s stays', (text) => {
    expect(printable(text)).toBe(text);
  });
});

describe('excerpt', () => {
  test('a short text is all there, a long one is cut', () => {
    expect(excerpt('x'.repeat(200))).toBe('x'.repeat(200));
    expect(excerpt('x'.repeat(201))).toBe(`${'x'.repeat(200)}…`);
    expect(excerpt('abc', 2)).toBe('ab…');
  });

  test('is no longer for what has to be escaped', () => {
    expect(excerpt('\u001b'.repeat(200))).toBe(`${'\\x1b'.repeat(50)}…`);
  });
});

describe('what a log says of an error', () => {
  test('lines of its message are no frames', () => {
    const error = new Error('said\n    at forged (/etc/passwd:1:1)');
    expect(describeThrown(error)).toMatch(
      /^said\n    at forged \(\/etc\/passwd:1:1\) \(at .*log\.test\.ts:\d+:\d+\)\)$/,
    );
    const trace = traceOf(error)?.split('\n') ?? [];
    expect(trace[0]).toBe('said     at forged (/etc/passwd:1:1)');
    expect(trace.slice(1).join('\n')).not.toContain('forged');
    expect(trace[1]).toMatch(/^ +at .*log\.test\.ts/);
  });

  test('a long message leaves room for where it was thrown', () => {
    const text = describeThrown(new Error('x'.repeat(100_000)));
    expect(text.length).toBeLessThan(1500);
    expect(text).toMatch(/^x{1000}… \(at .*log\.test\.ts:\d+:\d+\)\)$/);
  });
});
