import { readdirSync, readFileSync } from 'node:fs';
import { join, parse } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the examples: NAME.ts is a resource, NAME.html its page. */
export const EXAMPLES_FOLDER = fileURLToPath(new URL('../../resources/examples', import.meta.url));
/** Where they are listed. The page of one is beside it, by its name. */
export const EXAMPLES_INDEX = '/_websock/examples/';

/**
 * The files that the pages of some examples are made of, and where they are served: of each its page and what is called as it is
 * (`chat.css`, `chat-list.js`), and what all pages have (`example.css`); the palette is the daemon's.
 */
export function examplePages(served: readonly string[]): { path: string; file: string }[] {
  const names = ['example', ...served];
  const belongs = (stem: string): boolean => names.some((name) => stem === name || stem.startsWith(`${name}-`));
  return readdirSync(EXAMPLES_FOLDER).flatMap((base) => {
    const { name, ext } = parse(base);
    const file = join(EXAMPLES_FOLDER, base);
    if (ext === '.html') return served.includes(name) ? [{ path: EXAMPLES_INDEX + name, file }] : [];
    return (ext === '.js' || ext === '.css') && belongs(name) ? [{ path: EXAMPLES_INDEX + base, file }] : [];
  });
}

/** The page that lists some examples, each with what its own page says of itself. */
export function exampleIndex(served: readonly string[]): string {
  const items = served.map((name) => `<li><a href="${name}">${name}</a><p>${descriptionOf(name)}</p></li>`);
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <title>websock examples</title>
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <link rel="icon" href="data:," />
    <link rel="stylesheet" href="../palette.css" />
    <link rel="stylesheet" href="example.css" />
  </head>
  <body>
    <header>
      <h1>Examples</h1>
      <p class="muted">Each is one file in resources/examples and one page. Read them, change them.</p>
    </header>
    <main>
      <ul class="index">
        ${items.join('\n        ')}
      </ul>
    </main>
  </body>
</html>
`;
}

/** As it stands in the page, an attribute that is HTML already. */
function descriptionOf(name: string): string {
  const page = readFileSync(join(EXAMPLES_FOLDER, `${name}.html`), 'utf8');
  const description = /<meta\s+name="description"\s+content="([^"]*)"/.exec(page)?.[1] ?? '';
  return description.replaceAll('<', '&lt;');
}
