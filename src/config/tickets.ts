/** The options of `[tickets]`. */
import type { Option } from './shapes.ts';

export const TICKET_OPTIONS = [
  {
    section: 'tickets',
    key: 'secret',
    type: 'secret',
    default: '',
    fileKey: 'secretFile',
    reloadable: true,
    help: 'What tickets are signed with, 32 characters or more: openssl rand -hex 32. Empty: it is made at each start, and tickets end with the daemon.',
  },
  {
    section: 'tickets',
    key: 'secretFile',
    type: 'path',
    default: '',
    reloadable: true,
    help: 'A file that holds the secret, in place of secret. Only the daemon should be able to read it.',
  },
  {
    section: 'tickets',
    key: 'maxTtl',
    type: 'integer',
    default: 86_400,
    min: 1,
    max: 86_400,
    unit: 'seconds',
    reloadable: true,
    help: 'The longest time that a ticket may be asked for.',
  },
] as const satisfies readonly Option[];
