/**
 * What is sent, as a command or a script that sends the same.
 *
 * @typedef {object} Target
 * @property {boolean} secure
 * @property {string} host with its port, as in a URL.
 * @property {string} path
 * @property {string} query with its `?`, or ''.
 * @property {boolean} key whether the backend's key has to be shown: it is taken from the environment, WEBSOCK_KEY.
 *
 * @typedef {{ command: string } | { why: string }} Copy `why` there is none.
 */

/** @param {string} text for a shell. */
const quote = (text) => `'${text.replaceAll("'", String.raw`'\''`)}'`;

/** @param {string} text for PHP. */
const phpQuote = (text) => `'${text.replaceAll(/[\\']/g, String.raw`\$&`)}'`;

/** @param {Target} target */
const urlOf = ({ secure, host, path, query }) => `${secure ? 'https' : 'http'}://${host}${path}${query}`;

/** @param {string | Uint8Array} message */
function typeOf(message) {
  if (typeof message !== 'string') return 'application/octet-stream';
  return isObject(message) ? 'application/json' : 'text/plain';
}

/** @param {string} text */
const isObject = (text) => /^\s*\{/.test(text);

/**
 * @param {Target} target
 * @param {string | Uint8Array} message
 * @returns {Copy}
 */
export function asCurl(target, message) {
  if (hasNul(message)) return { why: 'a shell cannot hold the character NUL' };
  const url = urlOf(target);
  const words = ['curl'];
  // It takes brackets and braces for several URLs.
  if (/[[\]{}]/.test(url)) words.push('-g');
  if (target.key) words.push('-H "Authorization: Bearer $WEBSOCK_KEY"');
  // As a form, curl's own type, it would be taken apart.
  if (typeof message !== 'string' || !isObject(message)) words.push(`-H ${quote(`Content-Type: ${typeOf(message)}`)}`);
  if (typeof message === 'string') words.push(`--data-raw ${quote(message)}`, quote(url));
  else words.push('--data-binary @-', quote(url));
  const command = words.join(' ');
  return { command: typeof message === 'string' ? command : `printf ${quote(octal(message))} | ${command}` };
}

/**
 * @param {Target} target
 * @param {string | Uint8Array} message
 * @returns {Copy}
 */
export function asNc(target, message) {
  if (typeof message !== 'string') return { why: 'lines hold no binary messages' };
  if (hasNul(message)) return { why: 'a shell cannot hold the character NUL' };
  // Between the tokens of JSON a line end is a blank; within its texts there is none.
  const line = isObject(message) ? message.replaceAll(/\r?\n/g, ' ') : message;
  if (/[\r\n]/.test(line)) return { why: 'a message on one line cannot hold a line end' };
  const { secure, host, path, query, key } = target;
  const first = `GET ${path}${query}${key ? ' Bearer ' : ''}`;
  const opening = key ? `${quote(first)}"$WEBSOCK_KEY"` : quote(first);
  // The daemon closes after it: not every nc ends the connection when it has sent everything.
  const lines = [opening, quote(line), quote('{"opcode":"quit"}')].join(' ');
  const { name, port } = hostAndPort(host, secure);
  const peer = secure
    ? `openssl s_client -quiet -connect ${quote(`${bracketed(name)}:${port}`)}`
    : `nc ${name} ${port}`;
  return { command: `printf '%s\\n' ${lines} | ${peer}` };
}

/**
 * @param {Target} target
 * @param {string | Uint8Array} message
 * @returns {Copy}
 */
export function asPhp(target, message) {
  const headers = [phpQuote(`Content-Type: ${typeOf(message)}`)];
  if (target.key) headers.push("'Authorization: Bearer ' . getenv('WEBSOCK_KEY')");
  const content = typeof message === 'string' ? phpQuote(message) : `hex2bin('${hex(message)}')`;
  const command = [
    '<?php',
    '$http = [',
    "    'method' => 'POST',",
    `    'header' => [${headers.join(', ')}],`,
    `    'content' => ${content},`,
    "    'ignore_errors' => true, // what the daemon says is in the answer",
    '];',
    `echo file_get_contents(${phpQuote(urlOf(target))}, false, stream_context_create(['http' => $http]));`,
    '',
  ].join('\n');
  return { command };
}

/** @param {string | Uint8Array} message */
function hasNul(message) {
  return typeof message === 'string' && message.includes('\0');
}

/** @param {Uint8Array} bytes as printf takes them. */
function octal(bytes) {
  return Array.from(bytes, (byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
}

/** @param {Uint8Array} bytes */
function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * @param {string} host
 * @param {boolean} secure
 */
function hostAndPort(host, secure) {
  const [, name, port = secure ? '443' : '80'] = /^(.*?)(?::(\d+))?$/.exec(host) ?? ['', host];
  return { name: name.replaceAll(/^\[|\]$/g, ''), port };
}

/** @param {string} name */
const bracketed = (name) => (name.includes(':') ? `[${name}]` : name);

/**
 * The resource that a command reaches: that of the connection, or where it is for browsers alone, one of the same app.
 * @param {Resource} resource
 * @param {readonly Resource[]} all
 * @param {boolean} secure
 * @returns {Resource | undefined}
 *
 * @typedef {object} Resource
 * @property {string} path
 * @property {string} app
 * @property {readonly string[]} accepts
 * @property {boolean} dialog
 */
export function reachable(resource, all, secure) {
  const scheme = secure ? 'ssl' : 'tcp';
  const takes = (/** @type {Resource} */ { accepts }) => accepts.includes(scheme);
  if (takes(resource)) return resource;
  return all.find((other) => other.app === resource.app && takes(other));
}
