import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { lexer, type Token, type Tokens, walkTokens } from 'marked';
import { ROOT } from './daemon.ts';

/** Folders that hold nothing of ours. */
const FOREIGN = new Set(['node_modules', 'dist', 'coverage', 'log']);

/** Every .md of the project, as a path from its root, by the alphabet. */
export function documents(folder = ROOT): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return FOREIGN.has(entry.name) || entry.name.startsWith('.') ? [] : documents(path);
      return entry.name.endsWith('.md') ? [relative(ROOT, path)] : [];
    })
    .toSorted();
}

/** The text of a document. @param name a path from the root of the project. */
export function documentText(name: string): string {
  return readFileSync(join(ROOT, name), 'utf8');
}

/** A fenced block of code; `language` is '' where it says none. */
export interface CodeBlock {
  readonly language: string;
  readonly text: string;
}

/** The fenced blocks of a document, in their order. */
export function codeBlocks(markdown: string): CodeBlock[] {
  return tokensOf<Tokens.Code>(markdown, 'code')
    .filter(({ codeBlockStyle }) => codeBlockStyle !== 'indented')
    .map(({ lang, text }) => ({ language: lang ?? '', text: `${text}\n` }));
}

/** The one block of a document in a language that holds a text. @throws Error if there is none, or there are several. */
export function codeBlock(document: string, language: string, holding: string): string {
  const found = codeBlocks(documentText(document)).filter(
    (block) => block.language === language && block.text.includes(holding),
  );
  if (found.length !== 1) throw new Error(`${document} has ${found.length} blocks of ${language} with ${holding}`);
  return found[0].text;
}

/** Where the links and images of a document lead, as they are written; those in HTML, too. */
export function linksOf(markdown: string): string[] {
  const html = tokensOf<Tokens.HTML>(markdown, 'html').flatMap(({ raw }) => [
    ...raw.matchAll(/(?:href|src)="([^"]*)"/g),
  ]);
  return [
    ...tokensOf<Tokens.Link>(markdown, 'link').map(({ href }) => href),
    ...tokensOf<Tokens.Image>(markdown, 'image').map(({ href }) => href),
    ...html.map(([, href]) => href),
  ];
}

/** The anchors that GitHub gives the headings of a document: what is neither letter nor digit goes, and what comes again is numbered. */
export function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set<string>();
  for (const { tokens } of tokensOf<Tokens.Heading>(markdown, 'heading')) {
    const slug = plain(tokens)
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
      .replaceAll(' ', '-');
    let anchor = slug;
    for (let count = 1; anchors.has(anchor); count++) anchor = `${slug}-${count}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** The tokens of one type, however deep. */
function tokensOf<One extends Token>(markdown: string, type: One['type']): One[] {
  const found: One[] = [];
  void walkTokens(lexer(markdown), (token) => {
    if (token.type === type) found.push(token as One);
  });
  return found;
}

/** The text of tokens, as it is shown. */
function plain(tokens: readonly Token[]): string {
  return tokens
    .map((token) =>
      'tokens' in token && token.tokens !== undefined ? plain(token.tokens) : 'text' in token ? token.text : '',
    )
    .join('');
}
