import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { ROOT } from './daemon.ts';
import { PROGRAMS } from './program.ts';

/** The code blocks of systemd/README.md in one language. @param holding text that each of them has. */
export function operatorBlocks(language: string, holding: string): string[] {
  const text = readFileSync(join(ROOT, 'systemd/README.md'), 'utf8');
  return [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
    .filter((match) => match[1] === language && match[2].includes(holding))
    .map((match) => match[2]);
}

export function operatorBlock(language: string, holding: string): string {
  const found = operatorBlocks(language, holding);
  if (found.length !== 1)
    throw new Error(`systemd/README.md has ${found.length} blocks of ${language} with ${holding}`);
  return found[0];
}

/** A proxy in a process of its own. */
export interface RunningProxy {
  readonly port: number;
  stop(): Promise<void>;
}

/** What stands around a snippet of nginx.conf; in one process, that needs no files but those in `dir`. */
function nginxConfig(dir: string, snippet: string): string {
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const start = `daemon off; master_process off; pid ${dir}/nginx.pid; error_log stderr;\n`;
  if (snippet.startsWith('stream')) {
    return `load_module ${STREAM_MODULE};\n${start}events {}\n${snippet}`;
  }
  const temporary = paths.map((name) => `${name}_temp_path ${dir}/${name};`).join('\n');
  return `${start}events {}\nhttp {\naccess_log off;\n${temporary}\n${snippet}}\n`;
}

export const STREAM_MODULE = '/usr/lib/nginx/modules/ngx_stream_module.so';

/** As Debian's haproxy.cfg has it. */
const HAPROXY_DEFAULTS =
  'defaults\n    mode http\n    timeout connect 5s\n    timeout client 50s\n    timeout server 50s\n';

/** Starts nginx with a snippet of its configuration that listens on `port` of 127.0.0.1. */
export async function startNginx(dir: string, snippet: string, port: number): Promise<RunningProxy> {
  const file = join(dir, `nginx-${port}.conf`);
  writeFileSync(file, nginxConfig(dir, snippet));
  return running('nginx', ['-e', 'stderr', '-p', dir, '-c', file], port);
}

/** Starts HAProxy with a section of its configuration that listens on `port` of 127.0.0.1. */
export async function startHaproxy(dir: string, section: string, port: number): Promise<RunningProxy> {
  const file = join(dir, `haproxy-${port}.cfg`);
  writeFileSync(file, `${HAPROXY_DEFAULTS}${section}`);
  return running('haproxy', ['-db', '-f', file], port);
}

async function running(program: string, args: string[], port: number): Promise<RunningProxy> {
  const env = { ...process.env, PATH: PROGRAMS };
  const child = spawn(program, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const exit = once(child, 'close');
  const ended = exit.then(() => {
    throw new Error(`the proxy ended:\n${said}`);
  });
  ended.catch(() => {}); // told to those who wait for it
  await Promise.race([ended, listening(port)]);
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await exit;
  };
  return { port, stop };
}

/** Resolves when somebody takes connections on `port`: neither of the two says so. */
async function listening(port: number): Promise<void> {
  for (;;) {
    const socket = connect({ host: '127.0.0.1', port });
    // oxlint-disable-next-line no-await-in-loop
    const taken = await new Promise<boolean>((done) => {
      socket.once('connect', () => done(true)).once('error', () => done(false));
    });
    socket.destroy();
    if (taken) return;
    // oxlint-disable-next-line no-await-in-loop
    await new Promise((done) => setTimeout(done, 20));
  }
}
