/** The options of `[dialog]`: sessions that outlive their connections. */
import { GiB, KiB, MANY, MiB, row, TIME } from './rows.ts';
import type { Option } from './shapes.ts';

export const DIALOG_OPTIONS = [
  row(
    'dialog',
    'resume',
    { type: 'seconds', default: 30, ...TIME, zero: 'neither', reloadable: true },
    'How long the session of a web client that speaks websock.2 waits for its return when the connection is lost, and the answer to a POST with an Idempotency-Key for one that comes again.',
  ),
  row(
    'dialog',
    'maxSessions',
    { type: 'integer', default: 10_000, min: 1, max: MANY, unit: 'sessions', reloadable: true },
    'The most sessions that wait for their clients. One more, and the one that has waited longest ends. Each counts as a connection, too (maxClients, maxPerIP in [limits]).',
  ),
  row(
    'dialog',
    'keepPackets',
    { type: 'integer', default: 1000, min: 1, max: MANY, unit: 'messages', reloadable: true },
    'The most messages kept for one session: those that were sent and that its client has not acknowledged. One more, and the oldest is dropped; the client is told how many it has lost.',
  ),
  row(
    'dialog',
    'keepBytes',
    { type: 'size', default: 256 * KiB, min: KiB, max: GiB, reloadable: true },
    'The same in bytes; each message counts 64 more than it has. Never more than sendQueue in [limits]. A longer message is not kept at all.',
  ),
  row(
    'dialog',
    'maxKept',
    { type: 'size', default: 64 * MiB, min: KiB, max: 1024 * GiB, reloadable: true },
    'What is kept for all sessions together. Where it is more, those that keep most drop their oldest messages.',
  ),
  row(
    'dialog',
    'maxNexts',
    { type: 'integer', default: 256, min: 1, max: 10_000, unit: 'messages', reloadable: true },
    'For how many of the last messages of a session their next is kept with all that it said, for a client that asks again. For older ones it says only that they were handled.',
  ),
  row(
    'dialog',
    'stateFile',
    { type: 'path', default: 'websock.state', reloadable: true },
    'Where a stop writes the sessions for the next start, which removes it: whoever can read this file can take them over. Empty for none: sessions end with the daemon.',
  ),
  row(
    'dialog',
    'maxData',
    { type: 'size', default: 4 * MiB, min: KiB, max: GiB, reloadable: true },
    'What a resource keeps of one client (client.data) and is written to stateFile, as JSON. What is more is not kept over a restart; its session is.',
  ),
  row(
    'dialog',
    'maxState',
    { type: 'size', default: 64 * MiB, min: KiB, max: GiB, reloadable: true },
    'The longest stateFile. Sessions that do not fit into it end with the daemon; those that are owed least are written first.',
  ),
] as const satisfies readonly Option[];
