import { mkdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { run } from '../support/commands.ts';
import { ROOT, type RunningDaemon, startDaemon, temporaryFolder } from '../support/daemon.ts';
import { withProgram } from '../support/program.ts';
import { RawPeer, upgradeRequest } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

const withPhp = withProgram('php', 'php-cli');
const SCRIPT = join(ROOT, 'test/fixtures/php/session.php');
const WHO = `import { Resource } from 'websock';
export default class Who extends Resource {
  onData(client) {
    client.sendPacket({ opcode: 'who', ident: client.ident, auth: client.auth });
  }
}`;

let daemon: RunningDaemon;
/** Of the session of each path. */
let folders: Record<string, string>;

beforeAll(async () => {
  const dir = realpathSync(temporaryFolder());
  folders = { php: join(dir, 'php'), php_serialize: join(dir, 'whole') };
  for (const folder of Object.values(folders)) mkdirSync(folder);
  mkdirSync(join(folders.php_serialize, 'f', 'i'), { recursive: true });
  const section = (serializer: string, savePath: string): string =>
    `[auth.${serializer}]\npath=/${serializer}\nmode=php-session\nserializer=${serializer}\nsavePath='${savePath}'\nsessionKey=user.id\nidentKey=user.id\n`;
  daemon = await startDaemon({
    dir,
    ini: `logLevel=debug\n${section('php', folders.php)}${section('php_serialize', `2;${folders.php_serialize}`)}`,
    resources: { 'php.js': WHO, 'php_serialize.js': WHO },
  });
});

afterAll(() => daemon.dispose());

/** PHP writes a session. */
async function php(serializer: string, id: string, what: string): Promise<void> {
  const savePath = serializer === 'php' ? folders.php : `2;0640;${folders.php_serialize}`;
  expect(await run('php', ['-n', SCRIPT, savePath, serializer, id, what])).toEqual({ code: 0, stdout: '', stderr: '' });
}

async function connect(serializer: string, cookie: string): Promise<unknown> {
  const peer = await RawPeer.open({ port: daemon.port });
  peer.write(upgradeRequest(`/${serializer}`, { Cookie: cookie, Ident: 'root' }));
  const head = await peer.head();
  peer.destroy();
  return Number(head.slice(9, 12));
}

async function who(serializer: string, id: string): Promise<Record<string, unknown>> {
  const peer = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/${serializer}?ident=root`, {
    headers: { Cookie: `theme=dark; PHPSESSID=${id}` },
  });
  const packet = await peer.ask({ opcode: 'who' });
  await peer.close();
  return packet;
}

describe.each(['php', 'php_serialize'])('a session that PHP has written by %s', (serializer) => {
  const id = 'firstsession-0123456789,ABC';

  withPhp('lets its user in, under the name in it, until it is destroyed', async () => {
    await php(serializer, id, '{"user":{"id":7,"name":"Zoë"}}');
    expect(await who(serializer, id)).toMatchObject({
      ident: '7',
      auth: { mode: 'php-session', session: { user: { id: 7, name: 'Zoë' } } },
    });
    await php(serializer, id, '{"user":null}');
    expect(await connect(serializer, `PHPSESSID=${id}`)).toBe(403);
    await php(serializer, id, 'logout');
    expect(await connect(serializer, `PHPSESSID=${id}`)).toBe(401);
    expect(await connect(serializer, 'theme=dark')).toBe(401);
    expect(daemon.out).not.toContain(id);
  });

  withPhp('is read whole: objects as their properties, references, numbers of 64 bits', async () => {
    await php(serializer, id, 'everything');
    const { auth } = (await who(serializer, id)) as { auth: { session: unknown } };
    const account = { name: 'Zoë', age: 42, roles: ['reader', 'writer'], self: null };
    expect(auth.session).toEqual(
      JSON.parse(
        JSON.stringify({
          user: { 7: 'seven', id: 5, text: 'a "quoted" | ; } text', bytes: 'ÿ\0' },
          numbers: [0, -3, '9223372036854775807', 0.1, -2.5e100, null, true, false, null],
          empty: [],
          circle: account,
          account,
          again: account,
          suit: 'Suit:Hearts',
          list: [[1], [2, [3]]],
          proto: 0,
          last: account,
          one: 'shared',
          two: 'shared',
        }).replace('"proto":0', '"__proto__":{"user":1}'),
      ),
    );
  });

  withPhp('is refused where the other serializer was set: the log says so, and no id', async () => {
    const other = serializer === 'php' ? 'php_serialize' : 'php';
    const file =
      serializer === 'php' ? join(folders.php, `sess_${id}`) : join(folders.php_serialize, 'f', 'i', `sess_${id}`);
    const savePath = serializer === 'php' ? folders.php : `2;${folders.php_serialize}`;
    await php(serializer, id, 'logout');
    // The very file, by the other one.
    expect(await run('php', ['-n', SCRIPT, savePath, other, id, '{"user":{"id":7}}'])).toMatchObject({ code: 0 });
    expect(readFileSync(file, 'utf8')).toContain('7');
    const from = daemon.out.length;
    expect(await connect(serializer, `PHPSESSID=${id}`)).toBe(500);
    await daemon.said(new RegExp(`ERROR .* php-session: not as ${serializer} writes it`), from);
    expect(daemon.out).not.toContain(id);
    rmSync(file);
  });
});
