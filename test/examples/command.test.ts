import { describe, expect, test } from '@jest/globals';
import { TestBench } from 'websock/testing';
import Command from '../../resources/examples/command.ts';
import { calculate } from '../../resources/examples/lib/calculate.ts';

const page = () => new TestBench().mount(Command, '/command').connect({ scheme: 'ws', uuid: 'U', ip: '192.0.2.7' });

describe('a command is answered in its next', () => {
  test('time is now', async () => {
    const client = await page();
    const before = Date.now();
    const { answer } = { ...(await client.say('time')) };
    expect(new Date(String(answer)).toISOString()).toBe(answer);
    expect(Date.parse(String(answer))).toBeGreaterThanOrEqual(before);
    expect(Date.parse(String(answer))).toBeLessThanOrEqual(Date.now());
  });

  test('uptime, in words', async () => {
    const client = await page();
    expect(await client.say('uptime')).toMatchObject({ answer: expect.stringMatching(/^(?:\d+ (?:d|h|min) )*\d+ s$/) });
  });

  test('whoami is whoever asks', async () => {
    const bench = new TestBench().mount(Command, '/command');
    const web = await bench.connect({ scheme: 'ws', uuid: 'U', ip: '192.0.2.7' });
    const line = await bench.connect({ scheme: 'tcp', uuid: 'V', ident: 'job' });
    expect([await web.say('whoami'), await line.say('WhoAmI\r')]).toMatchObject([
      { answer: 'client 1, by ws from 192.0.2.7, without a name, uuid U' },
      { answer: 'client 2, by tcp from 127.0.0.1, named job, uuid V' },
    ]);
  });

  test('help names all of them; quit leaves, with an answer', async () => {
    const client = await page();
    const { answer } = { ...(await client.say('help')) };
    expect(
      String(answer)
        .split('\n')
        .map((line) => line.split(':')[0]),
    ).toEqual(['time', 'uptime', 'whoami', 'calc', 'quit', 'help']);
    expect(await client.say('quit')).toMatchObject({ answer: 'good bye' });
    expect(client.closed).toEqual({ code: 1000, reason: 'quit' });
  });

  test('what is no command says so, and harms nobody', async () => {
    const client = await page();
    for (const [said, error] of [
      ['rm -rf /', 'no such command: rm; help lists them'],
      ['  ', 'no such command: ; help lists them'],
      ['constructor', 'no such command: constructor; help lists them'],
      [`calc ${'1'.repeat(200)}`, 'a command has at most 200 characters, this one 205'],
      ['calc process.exit()', 'calc: I expected a number, not p'],
      ['calc 1/0', 'calc: nothing can be divided by zero'],
    ]) {
      expect(await client.say(said)).toEqual({ opcode: 'next', fyi: '', error });
    }
    expect(client.closed).toBeNull();
    expect(await client.say('calc 2+3*4')).toMatchObject({ answer: '14' });
  });
});

describe('calc', () => {
  test.each([
    ['2+3*4', 14],
    ['(2+3)*4', 20],
    ['10-4-3', 3],
    ['100/5/2', 10],
    [' 1 + 2 ', 3],
    ['-3*-(1+1)', 6],
    ['--2', 2],
    ['+.5+1.25', 1.75],
    ['0.1+0.2', 0.3],
    ['7', 7],
    ['9007199254740993*0', 0],
  ])('%s = %d', (text, value) => {
    expect(calculate(text)).toBe(value);
  });

  test.each([
    ['', 'a number is missing at the end'],
    ['2+', 'a number is missing at the end'],
    ['2 3', 'I did not expect 3'],
    ['2e5', 'I did not expect e'],
    ['1.', 'I did not expect .'],
    ['(1', 'a ) is missing'],
    ['1)', 'I did not expect )'],
    ['*2', 'I expected a number, not *'],
    ['2**3', 'I expected a number, not *'],
    ['😀', 'I expected a number, not 😀'],
    ['9'.repeat(200) + '*' + '9'.repeat(200), 'the result is too large'],
    ['1/(1-1)', 'nothing can be divided by zero'],
    ['('.repeat(100_000), 'it goes deeper than 50 parentheses and signs'],
    ['-'.repeat(51) + '1', 'it goes deeper than 50 parentheses and signs'],
  ])('%.20s is refused', (text, error) => {
    expect(() => calculate(text)).toThrow(error);
  });

  test('it may go as deep as 50', () => {
    expect(calculate('('.repeat(50) + '1' + ')'.repeat(50))).toBe(1);
  });
});
