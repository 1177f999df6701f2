/** One element of Sec-WebSocket-Extensions: a name and its parameters as they were written. */
export interface Extension {
  readonly name: string;
  /** In order, repeated ones too; null: a parameter without a value. */
  readonly params: readonly (readonly [name: string, value: string | null])[];
}

const TOKEN = /[\t ]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[\t ]*/y;
const QUOTED = /[\t ]*"((?:[^"\\]|\\.)*)"[\t ]*/y;
const BLANK = /[\t ]*/y;
const ONLY_TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/**
 * The extensions in Sec-WebSocket-Extensions, header fields of that name joined by commas (RFC 6455 §9.1).
 * @returns null if it does not conform to the grammar: such a handshake is to be failed.
 */
export function parseExtensions(header: string): Extension[] | null {
  let at = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const match = pattern.exec(header);
    if (match !== null) at = pattern.lastIndex;
    return match?.[1];
  };
  const skip = (mark: string): boolean => {
    if (header[at] !== mark) return false;
    at++;
    return true;
  };
  const found: Extension[] = [];
  do {
    // An element of a list may be empty (RFC 9110 §5.6.1.2), but not all of them.
    take(BLANK);
    if (at === header.length || header[at] === ',') continue;
    const name = take(TOKEN);
    if (name === undefined) return null;
    const params: [string, string | null][] = [];
    while (skip(';')) {
      const param = take(TOKEN);
      if (param === undefined) return null;
      let value: string | null = null;
      if (skip('=')) {
        const text = take(TOKEN) ?? take(QUOTED)?.replaceAll(/\\(.)/g, '$1');
        // "The value after quoted-string unescaping MUST conform to the 'token' ABNF."
        if (text === undefined || !ONLY_TOKEN.test(text)) return null;
        value = text;
      }
      params.push([param, value]);
    }
    found.push({ name, params });
  } while (skip(','));
  return at === header.length && found.length > 0 ? found : null;
}
