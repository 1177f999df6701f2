import { spawn } from 'node:child_process';

export interface Done {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. @param input what it reads from stdin, and then the end. */
export function run(
  program: string,
  args: readonly string[],
  input: string | Buffer = '',
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Done> {
  return new Promise((done, fail) => {
    const child = spawn(program, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('error', fail);
    child.on('close', (code) => done({ code, stdout, stderr }));
    child.stdin.on('error', () => {
      // It ended without reading: its exit code and its words say why.
    });
    child.stdin.end(input);
  });
}

/** What curl got. */
export interface Response {
  readonly status: number;
  /** With the status line; of the last response, if there were several. */
  readonly head: string;
  readonly body: string;
  /** The body as JSON. */
  json(): Record<string, unknown>;
}

/** `curl ARGS`, its output read as one response. */
export async function curl(...args: string[]): Promise<Response> {
  const { code, stdout, stderr } = await run('curl', ['-sS', '-i', '--max-time', '20', ...args]);
  if (code !== 0) throw new Error(`curl ended with ${code}: ${stderr}${stdout}`);
  let head = '';
  let body = stdout;
  do {
    const end = body.indexOf('\r\n\r\n');
    head = body.slice(0, end);
    body = body.slice(end + 4);
  } while (/^HTTP\/\S+ 1\d\d/.test(head));
  return { status: Number(head.split(' ')[1]), head, body, json: () => JSON.parse(body) as Record<string, unknown> };
}
