import { type Client, type HttpRequest, type HttpResponse, type Notice, Resource } from 'websock';

/** Milliseconds between two looks. */
const EVERY = 1000;

/**
 * `/stats`: how many clients are connected, in all and by path: once a second for who watches, or once for `GET /stats`.
 *
 * They are counted by the daemon as they come and go: to ask costs the same for ten and for a hundred thousand.
 */
export default class Stats extends Resource {
  /** One for all; null while nobody is there. */
  private timer: NodeJS.Timeout | null = null;

  onOpen(client: Client): void {
    client.join('watching');
    client.sendPacket(this.look());
    this.start();
  }

  override onOther(_client: Client, notice: Notice): void {
    // Over a restart of the daemon it is still in its room, but this resource is new.
    if (notice.type === 'resumed') this.start();
  }

  onRequest(_request: HttpRequest, response: HttpResponse): void {
    response.send(JSON.stringify(this.look()), { type: 'application/json' });
  }

  private start(): void {
    this.timer ??= setInterval(() => this.tell(), EVERY).unref();
  }

  private tell(): void {
    const watching = this.to('watching');
    if (watching.size > 0) {
      watching.sendPacket(this.look(), { droppable: true });
    } else if (this.timer !== null) {
      clearInterval(this.timer);
      this.timer = null;
    }
  }

  /** All that is shown: connections, in all and by path; seconds that the daemon is up; bytes of memory that it has. */
  private look() {
    const { server } = this;
    const paths = Object.fromEntries(server.paths().map((path) => [path, server.count({ path })]));
    return {
      opcode: 'stats',
      all: server.count(),
      paths,
      uptime: Math.floor(process.uptime()),
      memory: process.memoryUsage.rss(),
    };
  }
}
