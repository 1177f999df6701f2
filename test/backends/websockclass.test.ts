import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { makeCertificate } from '../support/certificate.ts';
import { type Done, run } from '../support/commands.ts';
import { ROOT, type RunningDaemon, startDaemon, temporaryFolder } from '../support/daemon.ts';
import { freePort } from '../support/freeport.ts';
import { withProgram } from '../support/program.ts';
import { WebPeer } from '../support/webpeer.ts';

const withPhp = withProgram('php', 'php-cli');
const FILE = join(ROOT, 'backends/php/Websock.php');

let daemon: RunningDaemon;
let certFile: string;
let page: WebPeer;

beforeAll(async () => {
  const dir = temporaryFolder();
  const files = makeCertificate(dir, { name: 'localhost', hosts: ['localhost', '127.0.0.1'] });
  ({ certFile } = files);
  const ini = `adress='ws://127.0.0.1:0,wss://127.0.0.1:0'\ncertFile='${certFile}'\npkFile='${files.pkFile}'`;
  daemon = await startDaemon({ dir, ini });
  page = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/web`);
});

afterAll(() => daemon.dispose());

/** Runs a script that has the class, without any extension that is not built in. What is thrown it prints. */
function php(script: string, env: NodeJS.ProcessEnv = {}): Promise<Done> {
  const text = `require '${FILE}';
    try { ${script} } catch (WebsockException $e) { echo "thrown ({$e->getCode()}): {$e->getMessage()}\\n"; }`;
  return run('php', ['-n', '-r', text], '', { env: { PATH: process.env.PATH, ...env } });
}

const open = (port: number): string => `$websock = Websock::open('http://127.0.0.1:${port}');`;
const printed = (stdout: string): Done => ({ code: 0, stdout, stderr: '' });

/** A way to the daemon on which `fate` is asked what becomes of each connection, by its number, once it is answered. */
async function openWay(fate: (connection: number) => 'answered' | 'cut'): Promise<Server> {
  let connections = 0;
  const way = createServer((client) => {
    const number = ++connections;
    const upstream = connect(daemon.port, '127.0.0.1');
    client.on('error', () => upstream.destroy());
    client.on('close', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
    client.pipe(upstream);
    upstream.on('data', (answer) => {
      if (fate(number) === 'answered') client.write(answer);
      else client.destroy();
    });
    upstream.on('end', () => client.end());
  });
  way.listen(0, '127.0.0.1');
  await once(way, 'listening');
  return way;
}

describe('Websock.php', () => {
  withPhp('sends all reports over one connection', async () => {
    const from = daemon.out.length;
    const loop = `for ($i = 1; $i <= 20; $i++) echo $websock->progress('${page.uuid}', $i * 5), ' ';`;
    expect(await php(open(daemon.port) + loop)).toEqual(printed('1 '.repeat(20)));
    for (let i = 1; i <= 20; i++) expect(await page.packet()).toMatchObject({ percent: i * 5 });
    const posts = [...daemon.out.slice(from).matchAll(/(#\d+) 127\.0\.0\.1 POST \/php: 200/g)].map(([, id]) => id);
    expect(posts).toEqual(Array(20).fill(posts[0]));
  });

  withPhp('a report whose answer is lost with its connection is sent again, and heard once', async () => {
    // Of the first connection the second answer is lost.
    let answers = 0;
    const way = await openWay((connection) => (connection === 1 && ++answers === 2 ? 'cut' : 'answered'));
    const reports = ['one', 'two', 'three'].map(
      (text) => `echo $websock->feedback('${page.uuid}', ['message' => '${text}']);`,
    );
    const { port } = way.address() as AddressInfo;
    expect(await php(open(port) + reports.join(''))).toEqual(printed('111'));
    for (const message of ['one', 'two', 'three']) expect(await page.packet()).toMatchObject({ message });
    await page.nothingElse();
    way.close();
  });

  withPhp('where no answer comes at all it throws, and the next report has another chance', async () => {
    const way = await openWay((connection) => (connection <= 2 ? 'cut' : 'answered'));
    const { port } = way.address() as AddressInfo;
    const script = `${open(port)}
      try { $websock->broadcast(['message' => 'one']); } catch (WebsockException $e) { echo $e->getMessage(), "\\n"; }
      echo $websock->broadcast(['message' => 'two']);`;
    expect(await php(script)).toEqual(printed(`127.0.0.1:${port} does not answer\n1`));
    // It was heard all the same: that is what cannot be known without an answer.
    for (const message of ['one', 'two']) expect(await page.packet()).toMatchObject({ message });
    await page.nothingElse();
    way.close();
  });

  withPhp('by https it reaches the daemon whose certificate it can trust', async () => {
    const script = `echo Websock::open('https://localhost:${daemon.ports[1]}')->broadcast(['message' => 'secure']);`;
    expect(await php(script, { SSL_CERT_FILE: certFile })).toEqual(printed('1'));
    expect(await page.packet()).toMatchObject({ message: 'secure' });
    const { stdout } = await php(script);
    expect(stdout).toMatch(/^thrown \(0\): cannot connect to localhost:\d+: .*certificate verify failed/i);
  });

  withPhp('what it throws says why', async () => {
    const nobody = await freePort();
    const cases: [script: string, thrown: string][] = [
      [open(nobody), `(0): cannot connect to 127.0.0.1:${nobody}: Connection refused`],
      ["Websock::open('localhost:8096');", '(0): not http://HOST:PORT or https://HOST:PORT: localhost:8096'],
      [
        "Websock::open('http://localhost:8096/php');",
        '(0): not http://HOST:PORT or https://HOST:PORT: http://localhost:8096/php',
      ],
      [`Websock::open('http://localhost', "a\\r\\nb");`, '(0): a key has neither blanks nor line ends'],
      [
        `${open(daemon.port)} $websock->broadcast(['message' => "\\xff"]);`,
        '(0): a packet that JSON cannot hold: Malformed UTF-8 characters, possibly incorrectly encoded',
      ],
      [`${open(daemon.port)} $websock->send('/nothing', ['opcode' => 'echo']);`, '(404): no such resource: /nothing'],
      [
        `${open(daemon.port)} $websock->send('/php', ['opcode' => 1]);`,
        '(400): not a valid packet: its "opcode" is not a string',
      ],
      [
        `Websock::open('http://127.0.0.1:${daemon.port}', 'wst1.x')->broadcast([]);`,
        '(401): the ticket is damaged, or not of this daemon: without [tickets] secret they end when it does',
      ],
    ];
    const said = await Promise.all(cases.map(([script]) => php(script)));
    expect(said).toEqual(cases.map(([, thrown]) => printed(`thrown ${thrown}\n`)));
    await page.nothingElse();
  });
});
