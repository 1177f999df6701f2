import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { lexer, type Tokens } from 'marked';
import { ROOT } from '../support/daemon.ts';
import { documents, documentText } from '../support/markdown.ts';

const GUIDE = documentText('MIGRATING.md');
const API = documentText('docs/API.md');
const OPTIONS = optionsOf(documentText('websock.ini'));
/** Where else a word of ours may be described. */
const OTHERS = documents()
  .filter((name) => name !== 'MIGRATING.md')
  .map(documentText)
  .join('\n');

/** What stands for whom in the guide, and the interfaces of the API that it is. */
const RECEIVERS: Record<string, string[]> = {
  client: ['Client'],
  server: ['Server'],
  this: ['Resource'],
  response: ['HttpResponse'],
  info: ['MessageInfo'],
  connection: ['Connection'],
};

/** The options that an ini file has, as the guide writes them: `adress`, `[limits] maxPayload`. */
function optionsOf(ini: string): Set<string> {
  let section = '';
  const found = new Set<string>();
  for (const line of ini.split('\n')) {
    const header = /^\[(\w+)\]$/.exec(line)?.[1];
    if (header !== undefined) section = `[${header}]`;
    const key = /^(\w+)=/.exec(line)?.[1];
    if (key !== undefined) found.add(section === '' ? key : `${section} ${key}`).add(section);
  }
  return found;
}

/** The members that the API reference has for a name: those of each kind together. */
function membersOf(name: string): string[] {
  const sections = [...API.matchAll(new RegExp(`^### (?:class|interface) ${name}\n(.*?)(?=^##|$(?![\\s\\S]))`, 'gms'))];
  return sections.flatMap(([, text]) => [...text.matchAll(/^\| `(?:protected )?(\w+)/gm)].map(([, member]) => member));
}

/** Why a name of ours is none; undefined: it is one. */
function untrue(span: string): string | undefined {
  const [, section] = /^(\[\w+\])/.exec(span) ?? [];
  if (section !== undefined) return OPTIONS.has(span) ? undefined : `there is no option ${span}`;
  const [, receiver, member] = /^(?:await )?(\w+)\.(\w+)/.exec(span) ?? [];
  if (receiver in RECEIVERS && span !== 'client.js') {
    const has = RECEIVERS[receiver].some((name) => membersOf(name).includes(member));
    return has ? undefined : `${receiver} has no ${member}`;
  }
  const [, callback] = /^(on[A-Z]\w+|registerServer)\(/.exec(span) ?? [];
  if (callback !== undefined)
    return membersOf('(?:Callbacks|Resource)').includes(callback) ? undefined : `no callback ${callback}`;
  const [, field] = /^static (\w+)/.exec(span) ?? [];
  if (field !== undefined) return membersOf('Resource').includes(field) ? undefined : `no static ${field}`;
  if (/^[\w.-]+\/[\w./-]*$|^\w+\.(?:ini|md)$/.test(span))
    return existsSync(join(ROOT, span)) ? undefined : `no file ${span}`;
  return OPTIONS.has(span) || span in globalThis || OTHERS.includes(span)
    ? undefined
    : 'it stands in no other document';
}

/** The code in a cell. */
function spansOf({ tokens }: Tokens.TableCell): string[] {
  return tokens.filter(({ type }) => type === 'codespan').map((token) => (token as Tokens.Codespan).text);
}

const TABLES = lexer(GUIDE).filter((token): token is Tokens.Table => token.type === 'table');

describe('MIGRATING.md', () => {
  test('each name of ours, in each of its tables, is one', () => {
    // The first column has the names of others.
    const cells = TABLES.flatMap(({ rows, header }) => [header, ...rows]).map((row) => row[1]);
    const spans = new Set(cells.flatMap(spansOf));
    expect(spans.size).toBeGreaterThan(100);
    expect([...spans].map((span) => [span, untrue(span)]).filter(([, why]) => why !== undefined)).toEqual([]);
  });

  test('what it is not is noticed', () => {
    const wrong = [
      '[limits] maxWishes',
      'client.sing()',
      'this.to(room)',
      'onWish(client)',
      'static wish',
      'src/wish/',
      'wishes',
    ];
    expect(
      wrong
        .map((span) => [span, untrue(span)])
        .filter(([, why]) => why !== undefined)
        .map(([span]) => span),
    ).toEqual(wrong.filter((span) => span !== 'this.to(room)'));
  });

  test('every table says what is there, what is here, and what differs', () => {
    for (const { header, rows } of TABLES) {
      expect(header).toHaveLength(3);
      for (const row of rows) expect([row[0].text, row[1].text !== '']).toEqual([row[0].text, true]);
      // Where there is nothing, it says why.
      for (const row of rows)
        if (row[1].text === '–') expect([row[0].text, row[2].text]).not.toEqual([row[0].text, '']);
    }
  });
});
