import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ROOT } from '../support/daemon.ts';
import { anchorsOf, documents, documentText, linksOf } from '../support/markdown.ts';

/**
 * What is wrong with the links of a document; those to other hosts are only looked at, not followed.
 * @param document its path from the root of the project.
 */
function broken(document: string, markdown: string): string[] {
  return linksOf(markdown).flatMap((link) => {
    if (/^[a-z][a-z0-9+.-]*:/i.test(link)) return URL.canParse(link) ? [] : [`${document}: ${link} is no URL`];
    const [path, anchor] = decodeURIComponent(link).split('#');
    const target = path === '' ? document : normalize(join(dirname(document), path));
    if (target.startsWith('..')) return [`${document}: ${link} leads out of the project`];
    if (target !== document && !existsSync(join(ROOT, target))) return [`${document}: ${link}: there is no ${target}`];
    if (anchor === undefined) return [];
    if (!target.endsWith('.md')) return [`${document}: ${link}: ${target} has no anchors`];
    const text = target === document ? markdown : documentText(target);
    return anchorsOf(text).has(anchor) ? [] : [`${document}: ${link}: ${target} has no heading for #${anchor}`];
  });
}

describe('the links of the documentation', () => {
  test.each(documents())('%s: each leads to a file and a heading that are there', (document) => {
    expect(broken(document, documentText(document))).toEqual([]);
  });

  test('one that leads nowhere is noticed, in a table and in HTML too; what is code is none', () => {
    const text = [
      '# One, `two`: three!',
      '## Again\n## Again',
      '[there](#one-two-three) [second](#again-1) [file](../README.md#configuration) `[code](x.md)`',
      '[gone](gone.md) [no heading](#nowhere) [beyond](../../other/x.md) [bad](http://a:b/)',
      '| a |\n|---|\n| [in a table](table.md) |',
      '<img src="gone.png">\n\n```\n[also code](y.md)\n```',
    ].join('\n\n');
    expect(broken('docs/x.md', text)).toEqual([
      'docs/x.md: gone.md: there is no docs/gone.md',
      'docs/x.md: #nowhere: docs/x.md has no heading for #nowhere',
      'docs/x.md: ../../other/x.md leads out of the project',
      'docs/x.md: http://a:b/ is no URL',
      'docs/x.md: table.md: there is no docs/table.md',
      'docs/x.md: gone.png: there is no docs/gone.png',
    ]);
  });

  test('every document of the package links to nothing that the package leaves out', () => {
    const { files } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { files: string[] };
    // What npm puts into every package.
    const shipped = [...files, 'README.md', 'LICENSE', 'package.json'];
    const isShipped = (path: string): boolean => shipped.some((file) => path === file || path.startsWith(`${file}/`));
    const missing = documents()
      .filter(isShipped)
      .flatMap((document) =>
        linksOf(documentText(document))
          .filter((link) => !/^[a-z]+:|^#/i.test(link))
          .map((link) => normalize(join(dirname(document), link.split('#')[0])))
          .filter((target) => !isShipped(target))
          .map((target) => `${document} links to ${target}`),
      );
    expect(missing).toEqual([]);
  });
});

test('every section of the protocol that is spoken of is there', () => {
  const sections = new Set([...documentText('src/PROTOCOL.md').matchAll(/^## (\d+)\./gm)].map(([, number]) => number));
  const sources = ['src', 'resources', 'test'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true })
      .map((name) => join(ROOT, folder, String(name)))
      .filter((path) => /\.(?:ts|js|md)$/.test(path) && statSync(path).isFile()),
  );
  const missing = [...sources, ...documents().map((name) => join(ROOT, name))].flatMap((path) =>
    [...readFileSync(path, 'utf8').matchAll(/PROTOCOL(?:\.md)?`? §(\d+)/g)]
      .filter(([, number]) => !sections.has(number))
      .map(([words]) => `${relative(ROOT, path)}: ${words}`),
  );
  expect(missing).toEqual([]);
});
