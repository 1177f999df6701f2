import { type Client, Resource } from 'websock';

/** What `/vitals` answers. */
export interface Vitals {
  /** Bytes, after a collection: as process.memoryUsage has them. */
  readonly heapUsed: number;
  readonly external: number;
  readonly rss: number;
  /** What keeps the event loop alive, by kind: sockets, timers, listeners. */
  readonly handles: Readonly<Record<string, number>>;
  /** Open clients, the one that asks included. */
  readonly clients: number;
}

/** `/vitals`: how the daemon is, on any message. It needs `node --expose-gc`. */
export default class VitalsResource extends Resource {
  static override path = '/vitals';
  static override dialog = false;

  override async onData(client: Client): Promise<undefined> {
    // What has just been closed is let go of in the turns that follow, and what finalizers hold by a second collection.
    for (let i = 0; i < 3; i++) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await new Promise((done) => setImmediate(done));
      globalThis.gc?.();
    }
    const { heapUsed, external, rss } = process.memoryUsage();
    const handles: Record<string, number> = {};
    for (const kind of process.getActiveResourcesInfo()) handles[kind] = (handles[kind] ?? 0) + 1;
    const vitals: Vitals = { heapUsed, external, rss, handles, clients: this.server.clients.size };
    client.send(JSON.stringify(vitals));
  }
}
