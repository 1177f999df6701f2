import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';

const ROOT = resolve(import.meta.dirname, '..');
const SRC = join(ROOT, 'src');

/** Folder or file of src -> its level; a level may import those below it, never its own from another folder. */
const LEVELS: Record<string, number> = {
  'errors.ts': 0,
  'log.ts': 0,
  wire: 1,
  packet: 2,
  auth: 2,
  transport: 3,
  connection: 4,
  hub: 5,
  resource: 6,
  http: 6,
  admin: 7,
  daemon: 8,
};

/** Folders beside the levels, and all that they may import. */
const BESIDE: Record<string, string[]> = {
  config: ['errors.ts', 'log.ts'],
  client: [],
  console: ['client'],
  'index.ts': ['auth', 'connection', 'packet', 'resource', 'wire'],
  'testing.ts': ['errors.ts', 'log.ts', 'auth', 'packet', 'connection', 'hub', 'resource', 'http'],
  'register.ts': [],
  command: ['client', 'config', 'errors.ts', 'log.ts', 'packet'],
  'run.ts': ['command', 'daemon'],
};

/** What only the daemon may import beside the levels below it: it constructs everything. */
const DAEMON_TOO = new Set(['config', 'index.ts']);

interface Source {
  /** Relative to the root, with slashes. */
  readonly name: string;
  readonly text: string;
}

function sources(...folders: string[]): Source[] {
  return folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(?:ts|js)$/.test(name) && !name.startsWith('fixtures'))
      .map((name) => ({ name: `${folder}/${name}`, text: readFileSync(join(ROOT, folder, name), 'utf8') })),
  );
}

/** The unit of src that a file belongs to: its top folder, or the file itself. */
function unitOf(path: string): string {
  return relative(SRC, path).split('/')[0];
}

function importsOf({ text }: Source): string[] {
  const found = text.matchAll(/^(?:import|export)\b[^;'"]*?from '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gms);
  return [...found].map((match) => match[1] ?? match[2] ?? match[3]);
}

function mayImport(from: string, to: string): boolean {
  if (from === to) return true;
  if (from in BESIDE) return BESIDE[from].includes(to);
  if (from === 'daemon' && DAEMON_TOO.has(to)) return true;
  return LEVELS[to] < LEVELS[from];
}

describe('layers (DESIGN.md)', () => {
  const files = sources('src');

  test.each(files)('$name imports downwards only', (file) => {
    const from = unitOf(join(ROOT, file.name));
    expect(Object.keys({ ...LEVELS, ...BESIDE })).toContain(from);
    const wrong = importsOf(file)
      .filter((target) => target.startsWith('.'))
      .map((target) => unitOf(resolve(ROOT, file.name, '..', target)))
      .filter((to) => !mayImport(from, to));
    expect(wrong).toEqual([]);
  });

  test('wire and packet are pure: no net, no timers, no logger', () => {
    const pure = files.filter(({ name }) => /^src\/(?:wire|packet)\//.test(name));
    expect(pure.length).toBeGreaterThan(5);
    for (const { name, text } of pure) {
      expect([
        name,
        text.match(/from 'node:(?:net|tls|http|fs|timers)|setTimeout|setInterval|log\.ts|console\./g),
      ]).toEqual([name, null]);
    }
  });

  test('only transport listens, and only daemon ends the process', () => {
    for (const file of files) {
      const modules = importsOf(file);
      if (!file.name.startsWith('src/transport/')) {
        expect([file.name, modules.filter((name) => name === 'node:tls')]).toEqual([file.name, []]);
        expect([file.name, /\.listen\((?!address)/.test(file.text)]).toEqual([file.name, false]);
      }
      if (!file.name.startsWith('src/daemon/'))
        expect([file.name, /process\.exit\b/.test(file.text)]).toEqual([file.name, false]);
    }
  });

  test('there are no cycles between the files of src', () => {
    const graph = new Map(
      files.map((file) => [
        file.name,
        importsOf(file)
          .filter((target) => target.startsWith('.'))
          .map((target) => relative(ROOT, resolve(ROOT, file.name, '..', target))),
      ]),
    );
    const done = new Set<string>();
    const visit = (name: string, path: string[]): void => {
      expect(path.includes(name) ? [...path, name] : []).toEqual([]);
      if (done.has(name)) return;
      for (const next of graph.get(name) ?? []) visit(next, [...path, name]);
      done.add(name);
    };
    for (const name of graph.keys()) visit(name, []);
    expect(done.size).toBeGreaterThanOrEqual(files.length);
  });
});

test('resources import only websock, Node and each other', () => {
  const files = sources('resources').filter(({ name }) => name.endsWith('.ts'));
  expect(files.length).toBeGreaterThanOrEqual(4);
  for (const file of files) {
    const strange = importsOf(file).filter((name) => !/^(?:websock|node:\w+|\.\/(?:lib\/)?[\w-]+\.ts)$/.test(name));
    expect([file.name, strange]).toEqual([file.name, []]);
  }
});

test('the pages of examples import only the client library, and what lies beside them', () => {
  const files = sources('resources/examples').filter(({ name }) => name.endsWith('.js'));
  expect(files.length).toBeGreaterThan(0);
  for (const file of files) {
    const strange = importsOf(file).filter((name) => !/^(?:\/_websock\/client|\.\/[\w-]+)\.js$/.test(name));
    expect([file.name, strange]).toEqual([file.name, []]);
  }
});

describe('lengths (DESIGN.md)', () => {
  const files = sources('src', 'resources', 'test', 'bench');

  test('no file is longer than 400 lines', () => {
    const long = files.map(({ name, text }) => `${name}: ${text.trimEnd().split('\n').length}`);
    expect(long.filter((line) => Number(line.split(': ')[1]) > 400)).toEqual([]);
  });

  test('no function of src, resources and bench is longer than 70 lines', () => {
    const long: string[] = [];
    for (const { name, text } of files.filter((file) => /^(?:src|resources|bench)\//.test(file.name))) {
      const lines = text.split('\n');
      lines.forEach((line, start) => {
        // Formatted as they are, a function ends where its closing brace stands as deep as its first line.
        const head =
          /^( *)(?:export |async |private |protected |public |static |override |get |set )*(?:function |constructor\(|[\w#]+(?:<[^>]*>)?\().*\{$/.exec(
            line,
          );
        if (head === null || /^ *(?:if|for|while|switch|catch)\b/.test(line)) return;
        const end = lines.findIndex((other, index) => index > start && other.startsWith(`${head[1]}}`));
        if (end - start + 1 > 70) long.push(`${name}:${start + 1}: ${end - start + 1}`);
      });
    }
    expect(long).toEqual([]);
  });
});
