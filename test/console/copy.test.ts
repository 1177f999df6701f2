import { describe, expect, test } from '@jest/globals';
import { asCurl, asNc, asPhp, reachable } from '../../src/console/copy.js';

const target = { secure: false, host: 'localhost:8096', path: '/php', query: '', key: false };
const ECHO = '{"opcode":"echo"}';

function commandOf(made: { command: string } | { why: string }): string {
  if ('why' in made) throw new Error(made.why);
  return made.command;
}

describe('as people would type it', () => {
  test('curl', () => {
    expect(commandOf(asCurl(target, ECHO))).toBe(`curl --data-raw '${ECHO}' 'http://localhost:8096/php'`);
    expect(commandOf(asCurl({ ...target, query: '?a={1}', secure: true }, "it's"))).toBe(
      String.raw`curl -g -H 'Content-Type: text/plain' --data-raw 'it'\''s' 'https://localhost:8096/php?a={1}'`,
    );
    expect(commandOf(asCurl(target, Uint8Array.of(0, 37, 255)))).toBe(
      String.raw`printf '\000\045\377' | curl -H 'Content-Type: application/octet-stream' --data-binary @- 'http://localhost:8096/php'`,
    );
  });

  test('nc, or with TLS openssl', () => {
    expect(commandOf(asNc(target, ECHO))).toBe(
      String.raw`printf '%s\n' 'GET /php' '${ECHO}' '{"opcode":"quit"}' | nc localhost 8096`,
    );
    expect(commandOf(asNc({ ...target, secure: true, host: '[::1]' }, ECHO))).toMatch(
      / \| openssl s_client -quiet -connect '\[::1\]:443'$/,
    );
    expect(commandOf(asNc({ ...target, host: '[::1]:81' }, ECHO))).toMatch(/ \| nc ::1 81$/);
    expect(commandOf(asNc({ ...target, host: 'example.org' }, ECHO))).toMatch(/ \| nc example\.org 80$/);
  });

  test('PHP', () => {
    expect(commandOf(asPhp(target, String.raw`{"it's":"\\"}`))).toContain(String.raw`'content' => '{"it\'s":"\\\\"}',`);
  });

  test('with the key it is taken from the environment, and stands nowhere', () => {
    const keyed = { ...target, key: true };
    expect(commandOf(asCurl(keyed, ECHO))).toContain('-H "Authorization: Bearer $WEBSOCK_KEY"');
    expect(commandOf(asNc(keyed, ECHO))).toContain(`'GET /php Bearer '"$WEBSOCK_KEY" '${ECHO}'`);
    expect(commandOf(asPhp(keyed, ECHO))).toContain("'Authorization: Bearer ' . getenv('WEBSOCK_KEY')");
  });
});

test('what cannot be said that way says why', () => {
  expect(asNc(target, Uint8Array.of(1))).toEqual({ why: 'lines hold no binary messages' });
  expect(asNc(target, 'two\nlines')).toEqual({ why: 'a message on one line cannot hold a line end' });
  expect(asCurl(target, 'a\0b')).toEqual({ why: 'a shell cannot hold the character NUL' });
  expect(commandOf(asNc(target, '{\n"opcode":"echo"\n}'))).toContain(`'{ "opcode":"echo" }'`);
});

test('a command goes to the resource, or where that is for browsers alone, to another of its app', () => {
  const at = (path: string, app: string, accepts: string[]) => ({ path, app, accepts, dialog: true });
  const web = at('/web', '/', ['ws', 'wss']);
  const php = at('/php', '/', ['tcp', 'ssl']);
  const chat = at('/chat', '/chat', ['ws']);
  const secret = at('/x', '/chat', ['ssl']);
  const all = [web, chat, secret, php];
  expect([reachable(php, all, false), reachable(web, all, false), reachable(chat, all, false)]).toEqual([
    php,
    php,
    undefined,
  ]);
  expect(reachable(chat, all, true)).toBe(secret);
});
