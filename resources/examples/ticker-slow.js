/** Milliseconds that nothing is read for. */
const PAUSE = 8000;
/** Ticks that are read then: more than wait on the way. */
const BURST = 24;

/** What TypeScript does not know yet: https://developer.mozilla.org/docs/Web/API/WebSocketStream
 * @typedef {{
 *   opened: Promise<{ readable: ReadableStream<string> }>,
 *   closed: Promise<{ closeCode: number, reason: string }>,
 * }} Stream
 */

/**
 * Reads heavy ticks in bursts, until the connection ends. A WebSocket reads all that comes, so this takes a WebSocketStream, which reads
 * only what it is asked for: then the browser, the kernel's buffers and last the daemon have to wait.
 * @param {(n: number) => void} count is told the number of each tick
 * @param {(words: string) => void} say is told what it does
 * @returns why it has ended, in words
 */
export async function readSlowly(count, say) {
  const { WebSocketStream } = /** @type {{ WebSocketStream?: new (url: string) => Stream }} */ (
    /** @type {unknown} */ (globalThis)
  );
  if (WebSocketStream === undefined) return 'This browser cannot read slowly: it has no WebSocketStream.';
  try {
    const stream = new WebSocketStream(new URL('/ticker?heavy', location.href.replace(/^http/, 'ws')).href);
    const { readable } = await stream.opened;
    const reader = readable.getReader();
    for (let ended = false, read = 0; !ended; read++) {
      if (read % BURST === 0) {
        say('Reading nothing…');
        await new Promise((wake) => setTimeout(wake, PAUSE));
        say('Reading…');
      }
      const { value, done } = await reader.read();
      ended = done;
      const packet = done ? {} : JSON.parse(value);
      if (packet.opcode === 'tick') count(packet.n);
    }
    const { closeCode, reason } = await stream.closed;
    return `Closed with ${closeCode}: ${reason}`;
  } catch (error) {
    return `It ended: ${String(error)}`;
  }
}
