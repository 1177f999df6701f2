/** The options of `[limits]`. */
import { GiB, KiB, LONGEST_TEXT, MANY, MiB, row, TIME } from './rows.ts';
import type { Option } from './shapes.ts';

export const LIMIT_OPTIONS = [
  row(
    'limits',
    'maxPayload',
    { type: 'size', default: MiB, min: KiB, max: LONGEST_TEXT, reloadable: true },
    'The longest message, line or POST body. A longer one closes its client with 1009.',
  ),
  row(
    'limits',
    'maxBuffer',
    { type: 'size', default: 16 * MiB, min: KiB, max: LONGEST_TEXT, reloadable: true },
    'The longest message joined from the pieces between bufferON and bufferOFF.',
  ),
  row(
    'limits',
    'maxChunks',
    { type: 'integer', default: 10_000, min: 1, max: MANY, unit: 'pieces', reloadable: true },
    'The most pieces between bufferON and bufferOFF.',
  ),
  row(
    'limits',
    'maxFragments',
    { type: 'integer', default: 16_384, min: 1, max: MANY, unit: 'frames', zero: 'no limit', reloadable: true },
    'The most frames that one WebSocket message may come in.',
  ),
  row(
    'limits',
    'maxHead',
    { type: 'size', default: 8 * KiB, min: KiB, max: MiB, reloadable: true },
    'The longest head of a request: its first line and its headers.',
  ),
  row(
    'limits',
    'maxHeaders',
    { type: 'integer', default: 100, min: 10, max: 10_000, unit: 'headers', reloadable: true },
    'The most headers of one request.',
  ),
  row(
    'limits',
    'headTimeout',
    { type: 'seconds', default: 10, ...TIME, reloadable: true },
    'How long a new connection may take to send its head or first line.',
  ),
  row(
    'limits',
    'tlsTimeout',
    { type: 'seconds', default: 5, ...TIME, reloadable: true },
    'How long the TLS handshake may take.',
  ),
  row(
    'limits',
    'proxyTimeout',
    { type: 'seconds', default: 5, ...TIME, reloadable: true },
    'How long a proxy may take to send its PROXY header (proxyProtocol=true).',
  ),
  row(
    'limits',
    'closeTimeout',
    { type: 'seconds', default: 5, ...TIME, reloadable: true },
    "How long to wait for a client's answer to a Close frame before its connection is cut.",
  ),
  row(
    'limits',
    'handlerTimeout',
    { type: 'seconds', default: 60, ...TIME, reloadable: true },
    'How long a resource may work on one message. After that its client is closed with 1011, and a POST gets 504.',
  ),
  row(
    'limits',
    'writeTimeout',
    { type: 'seconds', default: 30, ...TIME, reloadable: true },
    'How long a client may leave sent data untaken. After that it is closed with 1013.',
  ),
  row(
    'limits',
    'maxClients',
    {
      type: 'integer',
      default: 0,
      min: 1,
      max: MANY,
      unit: 'connections',
      zero: "the process's limit of open files less 64",
      reloadable: true,
    },
    'The most connections at one time.',
  ),
  row(
    'limits',
    'maxPerIP',
    { type: 'integer', default: 0, min: 1, max: MANY, unit: 'connections', zero: 'no limit', reloadable: true },
    'The most connections at one time from one address.',
  ),
  row(
    'limits',
    'maxAttempts',
    { type: 'integer', default: 5, min: 1, max: 100, unit: 'a minute', zero: 'no limit', reloadable: true },
    'The most wrong keys, tokens and tickets from one address. After that, whatever it shows is answered with 429 until the oldest of them is a minute old. Clients behind a proxy that is not in trustedProxies count as one.',
  ),
  row(
    'limits',
    'sendQueue',
    { type: 'size', default: MiB, min: KiB, max: GiB, reloadable: true },
    'What may wait to be sent to one client. If more than this is already waiting when a message is to follow, the client is closed with 1013.',
  ),
  row(
    'limits',
    'maxSendMemory',
    { type: 'size', default: 256 * MiB, min: MiB, max: 1024 * GiB, reloadable: true },
    'What may wait to be sent to all clients together. If it is more, those who read most slowly are closed with 1013 until an eighth of this is free.',
  ),
  row(
    'limits',
    'maxSession',
    { type: 'size', default: 256 * KiB, min: KiB, max: 16 * MiB, reloadable: true },
    'The largest file of a PHP session that is read (mode=php-session in [auth]).',
  ),
] as const satisfies readonly Option[];
