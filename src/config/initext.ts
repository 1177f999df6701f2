/** The whole websock.ini, from the table: the file that is shipped, and the one that a new installation begins with. */
import { BY_NAME, envName, fullName, OPTIONS, REPEATED, SECTIONS } from './options.ts';
import type { Option, Shape } from './shapes.ts';
import { allowedText, formatValue } from './values.ts';

const WIDTH = 110;

const INTRODUCTION = `websock.ini: every option, with its default.
A comment has a line of its own. A value with ; or # in it needs quotes, 'like this'.
Sizes are bytes, or as in 64KiB, 1MiB, 1GiB. Times are seconds. Lists are separated by commas.
Relative paths start at the folder of this file.
A section [/chat] is for the resource at /chat alone, which gets what is in it as texts.
The command line (--limits.maxPayload 2MiB) and the environment (${envName('limits.maxPayload')}=2MiB) come before this file.`;

/** The text of websock.ini. */
export function iniText(): string {
  const blocks = [comment(INTRODUCTION)];
  for (const [section, help] of Object.entries(SECTIONS)) {
    if (section !== '') blocks.push(`${comment(help)}\n[${section}]`);
    for (const option of OPTIONS as readonly Option[]) {
      if (option.section === section) blocks.push(`${comment(describe(option))}\n${line(option, option.default)}`);
    }
    for (const kind of REPEATED) {
      if (kind.section !== section) continue;
      const keys = kind.keys.map((key: Shape & { example: string }) => {
        // What the section itself has too was described there.
        const about = BY_NAME.has(fullName(section, key.key)) ? '' : `${key.help}\n`;
        return comment(`${about}${line(key, key.example)}`);
      });
      blocks.push([comment(kind.help), comment(`[${section}.NAME]`), ...keys].join('\n'));
    }
  }
  return `${blocks.join('\n\n')}\n`;
}

function describe(option: Option): string {
  // Of these there is nothing to say that the default does not show.
  const plain = ['boolean', 'string', 'path', 'secret'].includes(option.type);
  return plain ? option.help : `${option.help}\nAllowed: ${allowedText(option)}.`;
}

/** Text goes into quotes, so that a ; in it is safe; numbers, sizes and booleans need none. */
function line(shape: Shape, value: Shape['default']): string {
  const text = formatValue(shape, value);
  return `${shape.key}=${typeof value === 'number' || typeof value === 'boolean' ? text : `'${text}'`}`;
}

/** `text` as comment lines, broken at spaces. */
function comment(text: string): string {
  const lines: string[] = [];
  for (const paragraph of text.split('\n')) {
    let current = ';';
    for (const word of paragraph.split(' ')) {
      if (current.length + 1 + word.length > WIDTH) {
        lines.push(current);
        current = ';';
      }
      current += ` ${word}`;
    }
    lines.push(current);
  }
  return lines.join('\n');
}
