import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import * as fc from 'fast-check';
import { parseArgs } from '../../src/daemon/args.ts';

const parse = (...argv: string[]) => parseArgs(argv, '1.2.3');
const exit = jest.spyOn(process, 'exit');
const writes = [jest.spyOn(process.stdout, 'write'), jest.spyOn(process.stderr, 'write')];

beforeEach(() => {
  for (const write of writes) write.mockReturnValue(true);
  exit.mockImplementation(() => {
    throw new Error('process.exit');
  });
});
afterEach(() => {
  const calls = writes.flatMap(({ mock }) => mock.calls);
  for (const write of writes) write.mockReset();
  expect(calls).toEqual([]);
  expect(exit).not.toHaveBeenCalled();
});

describe('what is taken', () => {
  test.each([
    [[], {}],
    [['-console'], { console: true }],
    [['--console'], { console: true }],
    [['--no-console'], { console: false }],
    [['-no-console'], { console: false }],
    [['--console=false'], { console: false }],
    [['-console=true'], { console: true }],
    [['--console', 'false'], { console: false }],
    [['-adress', 'ws://h:1?proxyProtocol=true'], { adress: 'ws://h:1?proxyProtocol=true' }],
    [['--address=wss://h'], { address: 'wss://h' }],
    [['-limits.maxPayload', '2MiB'], { 'limits.maxPayload': '2MiB' }],
    [['--limits.maxPayload=2MiB', '-limits.maxHead=0010'], { 'limits.maxPayload': '2MiB', 'limits.maxHead': '0010' }],
    [['--limits.maxClients', '-5'], { 'limits.maxClients': '-5' }],
    [['--limits.headTimeout', '1e3'], { 'limits.headTimeout': '1e3' }],
    [['--logfile=', '--certFile', ''], { logfile: '', certFile: '' }],
    [['-log.daily', '-security.webIdent=false'], { 'log.daily': true, 'security.webIdent': false }],
  ])('%j', (argv, values) => {
    expect(parse(...argv)).toEqual({ check: false, values });
  });

  test('--config and --check, with one dash or two', () => {
    expect(parse('-config', '/x.ini', '-check')).toEqual({ config: '/x.ini', check: true, values: {} });
    expect(parse('--config=/x.ini', '--no-check')).toEqual({ config: '/x.ini', check: false, values: {} });
  });

  test('--version and --help, whatever else is there', () => {
    expect(parse('-version', '--nonsense').exit).toEqual({ code: 0, text: '1.2.3' });
    const help = parse('--nonsense', '-help', '--version').exit;
    expect(help?.code).toBe(0);
    expect(help?.text).toMatch(/^websock \[options\]\n/);
  });
});

describe('what is not', () => {
  test.each([
    [['--adress'], 'command line --adress: it needs a value; allowed: text'],
    [
      ['--limits.maxPayload', '-console'],
      'command line --limits.maxPayload: it needs a value; allowed: 1KiB to 256MiB',
    ],
    [['--config'], 'command line --config: it needs a value; allowed: a path'],
    [['--config='], "command line --config: found ''; allowed: a path"],
    [['--no-adress'], 'command line --no-adress: no- is for options that are true or false'],
    [['--no-config'], 'command line --no-config: no- is for options that are true or false'],
    [['--console=maybe'], "command line --console: found 'maybe'; allowed: true or false"],
    [['--check=1'], "command line --check: found '1'; allowed: true or false"],
    [['-console', '-console'], 'command line --console: it is given 2 times; allowed: once'],
    [['--console', '--no-console'], 'command line --console: it is given 2 times; allowed: once'],
    [['--adress=a', '-adress', 'b', '-adress=c'], 'command line --adress: it is given 3 times; allowed: once'],
    [['--config=a', '--config=b'], 'command line --config: it is given 2 times; allowed: once'],
    [['--consol'], 'command line --consol: there is no such option; the nearest is --console'],
    [['-maxPayload=1'], 'command line --maxPayload: there is no such option; the nearest is --limits.maxPayload'],
    [['--logLevl', 'info'], 'command line --logLevl: there is no such option; the nearest is --logLevel'],
    [['-v'], 'command line --v: there is no such option; the nearest is --version'],
    [['--help-me'], 'command line --help-me: there is no such option; the nearest is --help'],
    [['--constructor=1'], 'command line --constructor: there is no such option; the nearest is --console'],
    [
      ['start'],
      "command line: 'start' is not expected; options begin with -, and the commands are init, send and listen",
    ],
    [
      ['--', '1e3'],
      "command line: '1e3' is not expected; options begin with -, and the commands are init, send and listen",
    ],
  ])('%j', (argv, text) => {
    expect(parse(...argv).exit).toEqual({ code: 2, text });
  });

  test('all of it is reported at once', () => {
    expect(parse('a\nb', '--adress', '--x-y', '--stop.cod=1').exit?.text.split('\n')).toEqual([
      "command line: 'a\\x0ab' is not expected; options begin with -, and the commands are init, send and listen",
      'command line --adress: it needs a value; allowed: text',
      expect.stringMatching(/^command line --x-y: there is no such option; the nearest is --/),
      'command line --stop.cod: there is no such option; the nearest is --stop.code',
    ]);
  });

  test('a secret is left to loadConfig, which says where it goes', () => {
    expect(parse('--backend.key')).toEqual({ check: false, values: { 'backend.key': true } });
    expect(parse('--backend.kye', 'hunter2').exit?.text).not.toContain('hunter2');
  });

  test('any command line gives an answer', () => {
    const word = fc.constantFrom(
      '-',
      '--',
      '=',
      'console',
      'adress',
      'no-',
      'x',
      '.',
      '__proto__',
      'toString',
      '_',
      '$0',
      '1',
      ' ',
    );
    const argv = fc.array(
      fc.oneof(
        fc.array(word).map((words) => words.join('')),
        fc.string(),
      ),
    );
    fc.assert(
      fc.property(argv, (words) => expect([undefined, 0, 2]).toContain(parse(...words).exit?.code)),
      { numRuns: 1000 },
    );
  });
});
