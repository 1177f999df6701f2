import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { type Config, loadConfig } from '../../src/config/load.ts';
import { envName, fullName, OPTIONS } from '../../src/config/options.ts';
import { WebsockError } from '../../src/errors.ts';
import { cwd, errors, etc, failure, file, load, packageDir, root, warnings } from './folders.ts';

function valueOf(config: Config, name: string): unknown {
  return name.split('.').reduce<unknown>((tree, key) => Object(tree)[key] as unknown, config.values);
}

describe('precedence', () => {
  // Of each type: name, and a text and its value for ini, environment and command line.
  test.each<[string, [string, unknown], [string, unknown], [string | boolean, unknown]]>([
    ['adress', ['ws://i', 'ws://i'], ['ws://e', 'ws://e'], ['ws://c', 'ws://c']],
    ['logLevel', ['warn', 'warn'], ['debug', 'debug'], ['error', 'error']],
    ['stop.code', ['1012', 1012], ['1001', 1001], ['1012', 1012]],
    ['console', ['true', true], ['false', false], [true, true]],
    ['log.daily', ['false', false], ['true', true], [false, false]],
    ['limits.maxChunks', ['1', 1], ['2', 2], ['3', 3]],
    ['limits.maxPayload', ['1KiB', 1024], ['2KiB', 2048], ['3072', 3072]],
    ['limits.headTimeout', ['1', 1], ['1.5', 1.5], ['2', 2]],
    ['security.webMay', ['echo', ['echo']], ['', []], ['quit,echo', ['quit', 'echo']]],
    ['backend.allowed', ['::1', ['::1']], ['10.0.0.0/8', ['10.0.0.0/8']], ['', []]],
    ['logfile', ['i.log', join(etc, 'i.log')], ['e.log', join(cwd, 'e.log')], ['/c.log', '/c.log']],
  ])('%s', (name, inIni, inEnv, inArgs) => {
    const [key, section] = name.split('.').toReversed();
    const ini = `${section === undefined ? '' : `[${section}]\n`}${key}=${inIni[0]}\n`;
    const env = { [envName(name)]: inEnv[0] };
    const args = { [name]: inArgs[0] };
    const line = section === undefined ? 'line 1,' : `line 2, [${section}]`;
    const expected: [Config, unknown, string][] = [
      [load(ini), inIni[1], `${file} ${line} ${key}`],
      [load(ini, { env }), inEnv[1], `environment ${envName(name)}`],
      [load(ini, { env, args }), inArgs[1], `command line --${name}`],
      [load(''), valueOf(load(''), name), `${file}, ${section === undefined ? '' : `[${section}] `}${key} (not set)`],
    ];
    for (const [config, value, where] of expected) {
      expect(valueOf(config, name)).toEqual(value);
      expect(config.where(name)).toBe(where);
      expect(config.warnings).toEqual([]);
    }
    expect(valueOf(load('', { args }), name)).toEqual(inArgs[1]);
    expect(valueOf(load('', { env }), name)).toEqual(inEnv[1]);
  });

  test('every row can be set in the ini and, but for secrets, everywhere else', () => {
    for (const { section, key, type, default: preset } of OPTIONS) {
      if (type === 'secret') continue;
      const name = fullName(section, key);
      const text = String(preset);
      expect(load('', { args: { [name]: text } }).where(name)).toBe(`command line --${name}`);
      expect(load('', { env: { [envName(name)]: text } }).where(name)).toBe(`environment ${envName(name)}`);
      expect(load(`${section === '' ? '' : `[${section}]`}\n${key}='${text}'`).where(name)).toContain('line 2');
    }
  });

  test('the default lists are not shared', () => {
    load('').values.security.webMay.push('quit');
    expect(load('').values.security.webMay).toEqual(['echo', 'broadcast', 'feedback', 'ticket']);
  });
});

/** Puts an ini into the folder. */
function putIni(dir: string): string {
  const path = join(dir, 'websock.ini');
  writeFileSync(path, `logfile=${dir === cwd ? 'cwd' : 'package'}.log`);
  return path;
}

describe('which file', () => {
  test('--config, WEBSOCK_CONFIG, the working directory, the package, none', () => {
    expect(loadConfig({ cwd, packageDir })).toMatchObject({ file: undefined, dir: packageDir });
    expect(loadConfig({ cwd, packageDir }).values.resources).toBe(join(packageDir, 'resources'));
    const inPackage = putIni(packageDir);
    expect(loadConfig({ cwd, packageDir })).toMatchObject({ file: inPackage, dir: packageDir });
    const inCwd = putIni(cwd);
    const found = loadConfig({ cwd, packageDir });
    expect(found).toMatchObject({ file: inCwd, dir: cwd });
    expect(found.values.logfile).toBe(join(cwd, 'cwd.log'));
    expect(found.values.resources).toBe(join(cwd, 'resources'));
    writeFileSync(file, '');
    const env = { WEBSOCK_CONFIG: '../etc/websock.ini' };
    expect(loadConfig({ cwd, packageDir, env })).toMatchObject({ file, dir: etc, warnings: [] });
    expect(loadConfig({ cwd, packageDir, env, file: '../package/websock.ini' }).file).toBe(inPackage);
    expect(loadConfig({ cwd, packageDir, env: { WEBSOCK_CONFIG: '' } }).file).toBe(inCwd);
  });

  test('a file that is named must be there', () => {
    expect(failure(() => loadConfig({ cwd, packageDir, file: 'x.ini' }))).toEqual([
      'command line --config: /cwd/x.ini cannot be read: there is no such file',
    ]);
    expect(failure(() => loadConfig({ cwd, packageDir, env: { WEBSOCK_CONFIG: 'x.ini' } }))).toEqual([
      'environment WEBSOCK_CONFIG: /cwd/x.ini cannot be read: there is no such file',
    ]);
    expect(failure(() => loadConfig({ cwd, packageDir, file: '../etc' }))[0]).toContain('/etc cannot be read: ');
  });

  test('a file that is there must be readable, and UTF-8', () => {
    mkdirSync(join(cwd, 'websock.ini'));
    expect(failure(() => loadConfig({ cwd, packageDir }))[0]).toContain('/cwd/websock.ini cannot be read: ');
    writeFileSync(file, Buffer.from('logfile=\xe4', 'latin1'));
    expect(failure(() => loadConfig({ cwd, packageDir, file }))).toEqual([
      'command line --config: /etc/websock.ini cannot be read: it is not UTF-8',
    ]);
  });

  test('a BOM and CRLF are taken', () => {
    expect(load('\uFEFFlogfile=\r\n[stop]\r\ntimeout=0\r\n').values).toMatchObject({
      logfile: '',
      stop: { timeout: 0 },
    });
  });
});

describe('what cannot be used', () => {
  test('all of it is reported at once: place, what was found, what is allowed', () => {
    const ini = [
      "adress=''",
      'logLevel=loud',
      'console=yes ; please',
      'logfile=null',
      '[limits]',
      'maxPayload=1TB',
      'maxHeaders=9',
      'headTimeout=forever',
      '[security]',
      'webMay=echo,shout',
      '[backend]',
      'allowed=10.0.0.0/8,localhost',
      '[stop]',
      'code=1000',
      '[tls.a]',
      'certFile=true',
    ].join('\n');
    const env = { WEBSOCK_LOG_KEEP: '0', WEBSOCK_PKFILE: 'a\nb' };
    expect(errors(ini, { env, args: { 'log.daily': 'maybe', 'limits.maxhead': '1' } })).toEqual([
      '/etc/websock.ini line 3, console: ; outside quotes would cut the value off there: put the value into quotes; a comment goes on a line of its own',
      'command line --limits.maxhead: there is no such option; the nearest is --limits.maxHead',
      "/etc/websock.ini line 1, adress: found ''; allowed: text",
      '/etc/websock.ini line 4, logfile: a bare true, false or null; put it into quotes if it is meant as text; allowed: a path, or empty',
      "/etc/websock.ini line 2, logLevel: found 'loud'; allowed: error, warn, info or debug",
      "environment WEBSOCK_PKFILE: found 'a\\x0ab'; allowed: a path, or empty",
      "command line --log.daily: found 'maybe'; allowed: true or false",
      "environment WEBSOCK_LOG_KEEP: found '0'; allowed: 1 to 10000 files",
      "/etc/websock.ini line 6, [limits] maxPayload: found '1TB'; allowed: 1KiB to 256MiB",
      "/etc/websock.ini line 7, [limits] maxHeaders: found '9'; allowed: 10 to 10000 headers",
      "/etc/websock.ini line 8, [limits] headTimeout: found 'forever'; allowed: 0.01 to 86400 seconds",
      "/etc/websock.ini line 10, [security] webMay: found 'shout'; allowed: any of echo, broadcast, feedback, feedback-ident, ticket, quit, separated by commas",
      "/etc/websock.ini line 12, [backend] allowed: found 'localhost'; allowed: addresses and ranges as in 10.0.0.0/8, separated by commas",
      "/etc/websock.ini line 14, [stop] code: found '1000'; allowed: 1001 or 1012",
      '/etc/websock.ini line 15, [tls.a]: host is missing; allowed: text',
      '/etc/websock.ini line 16, [tls.a] certFile: a bare true, false or null; put it into quotes if it is meant as text; allowed: a path',
      '/etc/websock.ini line 15, [tls.a]: pkFile is missing; allowed: a path',
    ]);
  });

  test('an option in two spellings', () => {
    const twice = 'the same option is set twice, as';
    expect(errors('adress=ws://a\naddress=ws://b')).toEqual([
      `/etc/websock.ini line 2, address: ${twice} /etc/websock.ini line 1, adress too; keep one of them`,
    ]);
    expect(errors('', { args: { address: 'ws://a', adress: 'ws://b' } })).toEqual([
      `command line --adress: ${twice} command line --address too; keep one of them`,
    ]);
    expect(errors('', { env: { WEBSOCK_ADDRESS: 'ws://a', WEBSOCK_ADRESS: 'ws://b' } })).toEqual([
      `environment WEBSOCK_ADRESS: ${twice} environment WEBSOCK_ADDRESS too; keep one of them`,
    ]);
    const config = load('adress=ws://a', { args: { address: 'ws://b' } });
    expect(config.values.adress).toBe('ws://b');
    expect(config.where('adress')).toBe('command line --address');
  });

  test('the words true, false and null as text need quotes', () => {
    const config = load("logfile='null'\ncertFile=\"true\"\n[security]\nallowedOrigins='null'");
    expect(config.values).toMatchObject({ logfile: join(etc, 'null'), certFile: join(etc, 'true') });
    expect(config.values.security.allowedOrigins).toEqual(['null']);
    expect(load('', { env: { WEBSOCK_SECURITY_ALLOWEDORIGINS: 'null' } }).values.security.allowedOrigins).toEqual([
      'null',
    ]);
    expect(errors('[limits]\nmaxPayload=null')).toEqual([
      "/etc/websock.ini line 2, [limits] maxPayload: found 'null'; allowed: 1KiB to 256MiB",
    ]);
  });

  test('a long or multi-line value is cut and made printable', () => {
    expect(errors('', { args: { logLevel: `${'x'.repeat(200)}\n` } })).toEqual([
      `command line --logLevel: found '${'x'.repeat(100)}…'; allowed: error, warn, info or debug`,
    ]);
  });

  test('config.error() says where a value came from', () => {
    const config = load('certFile=a.pem', { env: { WEBSOCK_PKFILE: 'a.key' } });
    const texts = [
      config.error('certFile', 'there is no file /a.pem'),
      config.error('pkFile', 'it is no\nkey', 'a PEM file'),
      config.error('limits.maxClients', 'too many'),
    ];
    expect(texts.every((error) => error instanceof WebsockError && error.exitCode === 2)).toBe(true);
    expect(texts.map(({ message }) => message.replaceAll(root, ''))).toEqual([
      '/etc/websock.ini line 1, certFile: there is no file /a.pem',
      'environment WEBSOCK_PKFILE: it is no\\x0akey; allowed: a PEM file',
      '/etc/websock.ini, [limits] maxClients (not set): too many',
    ]);
  });
});

describe('unknown names', () => {
  const ignored = 'it is ignored; the nearest is';

  test('in the ini: a warning with the nearest', () => {
    const ini = [
      'adres=x',
      'maxPayload=1MiB',
      'limits.maxHead=1KiB',
      '[limits]',
      'maxPaylaod=2MiB',
      'timeout=5',
      'logfile=x',
      'address=x',
      '[limit]',
      'maxPayload=x',
      '[tls.a]',
      'host=a',
      'certFile=a',
      'pkFile=a',
      'keyFile=a',
      '[tsl.b]',
      'host=b',
      '[stop.x]',
    ].join('\n');
    const config = load(ini);
    expect(warnings(config)).toEqual([
      `/etc/websock.ini line 9, [limit]: there is no such section, ${ignored} [limits]`,
      `/etc/websock.ini line 16, [tsl.b]: there is no such section, ${ignored} [tls]`,
      `/etc/websock.ini line 18, [stop.x]: there is no such section, ${ignored} [stop]`,
      `/etc/websock.ini line 1, adres: there is no such key, ${ignored} adress`,
      `/etc/websock.ini line 2, maxPayload: there is no such key, ${ignored} maxPayload in [limits]`,
      `/etc/websock.ini line 3, limits.maxHead: there is no such key, ${ignored} maxHead in [limits]`,
      `/etc/websock.ini line 5, [limits] maxPaylaod: there is no such key, ${ignored} maxPayload`,
      `/etc/websock.ini line 6, [limits] timeout: there is no such key, ${ignored} timeout in [heartbeat]`,
      `/etc/websock.ini line 7, [limits] logfile: there is no such key, ${ignored} logfile at the top`,
      `/etc/websock.ini line 8, [limits] address: there is no such key, ${ignored} adress at the top`,
      `/etc/websock.ini line 15, [tls.a] keyFile: there is no such key, ${ignored} certFile`,
    ]);
    expect(config.values.limits).toEqual(load('').values.limits);
  });

  test.each([
    ['[auth]\nmod=token', 'line 2, [auth] mod: there is no such key; the nearest is mode'],
    ['[auth.a]\npath=/a\nmode=none\ntoken=x', 'line 4, [auth.a] token: there is no such key; the nearest is tokens'],
    ['[backend]\nallow=x', 'line 2, [backend] allow: there is no such key; the nearest is allowed'],
    [
      '[security]\nallowOrigins=x',
      'line 2, [security] allowOrigins: there is no such key; the nearest is allowedOrigins',
    ],
    ['[tickets]\nttl=x', 'line 2, [tickets] ttl: there is no such key; the nearest is maxTtl'],
    ['[Auth]\nmode=token', 'line 1, [Auth]: there is no such section; the nearest is [auth]'],
    ['[auht.a]\npath=/a', 'line 1, [auht.a]: there is no such section; the nearest is [auth]'],
    ['[securty]\nwebMay=', 'line 1, [securty]: there is no such section; the nearest is [security]'],
  ])('in a section that says who may do what: %j is an error', (ini, error) => {
    expect(() => load(ini)).toThrow(`/etc/websock.ini ${error}`);
  });

  test('in the environment: a warning with the nearest, and nothing else of the environment', () => {
    const env = {
      WEBSOCK_LIMITS_MAX_PAYLOAD: 'x',
      WEBSOCK_WEBMAY: 'x',
      WEBSOCK_CONFIGURATION: 'x',
      PATH: 'x',
      websock_x: 'x',
    };
    expect(load('', { env }).warnings).toEqual([
      `environment WEBSOCK_LIMITS_MAX_PAYLOAD: there is no such option, ${ignored} WEBSOCK_LIMITS_MAXPAYLOAD`,
      `environment WEBSOCK_WEBMAY: there is no such option, ${ignored} WEBSOCK_SECURITY_WEBMAY`,
      `environment WEBSOCK_CONFIGURATION: there is no such option, ${ignored} WEBSOCK_CONFIG`,
    ]);
  });

  test('on the command line: an error with the nearest', () => {
    expect(errors('', { args: { maxPayload: '1', 'stop.tiemout': '1' } })).toEqual([
      'command line --maxPayload: there is no such option; the nearest is --limits.maxPayload',
      'command line --stop.tiemout: there is no such option; the nearest is --stop.timeout',
    ]);
  });
});

describe('repeated sections', () => {
  test('[tls.NAME] in the order of the file', () => {
    const ini = [
      '[tls.b]',
      'host=b.example',
      'certFile=b.pem',
      "pkFile='/b.key'",
      '[tls]',
      'minVersion=TLSv1.3',
      '[tls.a]',
      'host=a.example',
      'certFile=a.pem',
      'pkFile=a.key',
    ].join('\n');
    const config = load(ini);
    expect(config.values.tls).toEqual({ minVersion: 'TLSv1.3', ciphers: [] });
    expect(config.values.named.tls).toEqual([
      { name: 'b', host: 'b.example', certFile: join(etc, 'b.pem'), pkFile: '/b.key' },
      { name: 'a', host: 'a.example', certFile: join(etc, 'a.pem'), pkFile: join(etc, 'a.key') },
    ]);
    expect(config.warnings).toEqual([]);
    expect(config.where('tls.a.certFile')).toBe(`${file} line 9, [tls.a] certFile`);
  });

  test('a host name as NAME is an error, for ini would split it', () => {
    expect(errors('[tls.www.example.org]\nhost=x')[0]).toMatch(
      /^\/etc\/websock.ini line 1: \[tls\.www\.example\.org\] cannot be the name of a section; allowed: /,
    );
  });
});

const words = [
  'adress',
  'address',
  'console',
  'logfile',
  'limits',
  'maxPayload',
  'tls',
  'host',
  'key',
  'keyFile',
  'certFile',
];
const signs = [
  '=',
  '=',
  "'",
  '"',
  ';',
  '#',
  '[',
  ']',
  '[tls.a]',
  '[backend]',
  '.',
  '\\',
  '\n',
  '\n',
  '\r\n',
  '\0',
  '\uFEFF',
  '1',
];
const soup = fc.array(fc.oneof(fc.constantFrom(...words, ...signs, 'null', '__proto__', 'toString'), fc.string()));

test('any ini, environment and command line gives values or a WebsockError', () => {
  const map = fc.dictionary(fc.constantFrom('adress', 'logfile', 'stop.code', 'toString', 'x'), fc.string());
  fc.assert(
    fc.property(soup, map, map, (pieces, env, args) => {
      const variables = Object.fromEntries(Object.entries(env).map(([name, value]) => [envName(name), value]));
      try {
        expect(load(pieces.join(''), { env: variables, args }).values.limits.maxPayload).toBeGreaterThan(0);
      } catch (error) {
        if (!(error instanceof WebsockError)) throw error;
        expect(error.message).not.toBe('');
      }
    }),
    { numRuns: 300 },
  );
});
