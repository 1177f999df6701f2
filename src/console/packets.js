/**
 * @typedef {object} Choice What can be sent.
 * @property {string} name
 * @property {string} label
 * @property {string} hint
 * @property {(uuid: string) => string} text of the field, to begin with. `uuid`: of a client that can be reached.
 */

/** @type {readonly Choice[]} */
export const CHOICES = [
  {
    name: 'echo',
    label: 'Echo',
    hint: 'The same text comes back.',
    text: () => '{"opcode":"echo","message":"Hello"}',
  },
  {
    name: 'broadcast',
    label: 'Broadcast',
    hint: 'Goes to every other web client of the app: open a second connection to watch it.',
    text: () => '{"opcode":"broadcast","message":"Hello, all"}',
  },
  {
    name: 'feedback',
    label: 'Feedback',
    hint: 'Goes to the client with this UUID.',
    text: (uuid) => JSON.stringify({ opcode: 'feedback', uuid, message: '50 %' }),
  },
  {
    name: 'pieces',
    label: 'In pieces',
    hint: 'One message, sent in as many pieces, put together by the daemon.',
    text: () => JSON.stringify({ opcode: 'echo', message: 'one long text '.repeat(6).trim() }),
  },
  {
    name: 'text',
    label: 'Text',
    hint: 'Any text. The bundled resources take packets alone, and close with 1007.',
    text: () => 'Hello',
  },
  {
    name: 'binary',
    label: 'Binary',
    hint: 'Bytes in hexadecimal, sent as a binary message.',
    text: () => '7b 22 6f 70 63 6f 64 65 22 3a 22 65 63 68 6f 22 7d',
  },
  {
    name: 'quit',
    label: 'Quit',
    hint: 'The daemon answers, and closes with 1000.',
    text: () => '{"opcode":"quit"}',
  },
];
