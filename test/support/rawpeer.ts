import { connect as connectPlain, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { SeenPacket } from './webpeer.ts';

export interface Where {
  port?: number;
  /** Default: 127.0.0.1. */
  host?: string;
  /** A Unix socket. */
  path?: string;
  /** PEM of the certificate to trust: the connection is TLS, for `localhost`. */
  ca?: string;
  /** The address that it comes from; default: the system's choice. */
  localAddress?: string;
}

export interface Frame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly payload: Buffer;
  /** All of its bytes, the header's too. */
  readonly size: number;
}

/** Milliseconds after which what has not come is not going to. */
const PATIENCE = 45_000;
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

/** A socket whose bytes are looked at one by one: line clients, script clients, HTTP clients. */
export class RawPeer {
  readonly socket: Socket;
  /** Errors of the socket; a reset is none of the test's business until it asks. */
  failure: Error | null = null;
  /** The server's FIN has come. */
  ended = false;
  private bytes: Buffer = Buffer.alloc(0);
  private chunks: Buffer[] = [];
  private readonly waiters = new Set<() => void>();

  private constructor(socket: Socket) {
    this.socket = socket;
    const wake = (): void => {
      for (const look of this.waiters) look();
    };
    socket.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk);
      wake();
    });
    socket.on('error', (error) => {
      this.failure = error;
    });
    for (const event of ['end', 'close']) {
      socket.on(event, () => {
        this.ended = true;
        wake();
      });
    }
  }

  static async open(where: Where): Promise<RawPeer> {
    const { ca, host = '127.0.0.1', port = 0, path, localAddress } = where;
    const target: { host?: string; port: number; path?: string; localAddress?: string } =
      path === undefined ? { host, port, localAddress } : { port, path };
    const socket =
      ca === undefined
        ? connectPlain({ ...target, allowHalfOpen: true })
        : connectTls({ ...target, ca, servername: 'localhost', allowHalfOpen: true } as ConnectionOptions);
    socket.setNoDelay(true);
    await new Promise<void>((done, fail) => {
      socket.once('error', fail);
      socket.once(ca === undefined ? 'connect' : 'secureConnect', () => {
        socket.off('error', fail);
        done();
      });
    });
    return new RawPeer(socket);
  }

  /** A line client that has read its `ready`. */
  static async line(where: Where, firstLine: string): Promise<RawPeer & { uuid: string }> {
    const peer = await RawPeer.open(where);
    peer.write(`${firstLine}\n`);
    const ready = await peer.linePacket();
    if (ready.opcode !== 'ready') throw new Error(`the first packet is ${JSON.stringify(ready)}`);
    return Object.assign(peer, { uuid: String(ready.uuid) });
  }

  /** A script client that has read its `ready`. */
  static async script(
    where: Where,
    path: string,
    headers: Record<string, string> = {},
  ): Promise<RawPeer & { uuid: string }> {
    const peer = await RawPeer.open(where);
    peer.write(upgradeRequest(path, { 'Client-Type': 'php', ...headers }));
    await peer.head();
    const ready = JSON.parse((await peer.frame()).payload.toString()) as SeenPacket;
    if (ready.opcode !== 'ready') throw new Error(`the first packet is ${JSON.stringify(ready)}`);
    return Object.assign(peer, { uuid: String(ready.uuid) });
  }

  write(data: string | Buffer): void {
    this.socket.write(data);
  }

  /** FIN, after `data`. */
  end(data: string | Buffer = ''): void {
    this.socket.end(data);
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Exactly `length` bytes. */
  async take(length: number): Promise<Buffer> {
    await this.until(() => this.all().length >= length, `${length} bytes`);
    const taken = this.bytes.subarray(0, length);
    this.bytes = this.bytes.subarray(length);
    return taken;
  }

  /** Everything up to and with `mark`. */
  async through(mark: string): Promise<Buffer> {
    let at = -1;
    await this.until(() => (at = this.all().indexOf(mark)) !== -1, JSON.stringify(mark));
    return this.take(at + Buffer.byteLength(mark));
  }

  /** Everything up to the server's FIN, or the end of the connection. */
  async restBytes(): Promise<Buffer> {
    await this.until(() => this.ended, 'the end');
    return this.take(this.all().length);
  }

  async rest(): Promise<string> {
    return (await this.restBytes()).toString();
  }

  async line(): Promise<string> {
    return (await this.through('\n')).toString().slice(0, -1);
  }

  async linePacket(): Promise<SeenPacket> {
    return JSON.parse(await this.line()) as SeenPacket;
  }

  /** The head of an HTTP response. */
  async head(): Promise<string> {
    return (await this.through('\r\n\r\n')).toString('latin1');
  }

  /** A whole HTTP response, by its Content-Length. */
  async response(): Promise<{ status: number; head: string; body: string }> {
    const head = await this.head();
    const length = Number(/^content-length: (\d+)\r$/im.exec(head)?.[1]);
    if (Number.isNaN(length)) throw new Error(`no Content-Length in ${head}`);
    return { status: Number(head.slice(9, 12)), head, body: (await this.take(length)).toString() };
  }

  /** The next WebSocket frame. */
  async frame(): Promise<Frame> {
    const first = await this.take(2);
    let length = first[1] & 127;
    let size = 2;
    if (first[1] > 127) throw new Error('a masked frame from the server');
    if (length === 126) length = (await this.take(2)).readUInt16BE();
    else if (length === 127) length = Number((await this.take(8)).readBigUInt64BE());
    if (length > 65535) size += 8;
    else if (length > 125) size += 2;
    const payload = await this.take(length);
    return { opcode: first[0] & 15, fin: first[0] > 127, payload, size: size + length };
  }

  /** The next WebSocket frame, which must be text. */
  async text(): Promise<string> {
    const { opcode, payload } = await this.frame();
    if (opcode !== 1) throw new Error(`a frame with opcode ${opcode}: ${payload.toString('hex')}`);
    return payload.toString();
  }

  async packet(): Promise<SeenPacket> {
    return JSON.parse(await this.text()) as SeenPacket;
  }

  /** The Close frame, and then nothing but the FIN. @returns its code and reason. */
  async closeFrame(): Promise<{ code: number; reason: string }> {
    const { opcode, payload } = await this.frame();
    if (opcode !== 8) throw new Error(`a frame with opcode ${opcode}: ${payload.toString()}`);
    const rest = await this.rest();
    if (rest !== '') throw new Error(`${rest.length} bytes after the Close frame`);
    return { code: payload.readUInt16BE(), reason: payload.toString('utf8', 2) };
  }

  /** Resolves when the connection is gone, whatever was in it. */
  async gone(): Promise<void> {
    await this.until(() => this.ended, 'the end');
  }

  private all(): Buffer {
    if (this.chunks.length > 0) this.bytes = Buffer.concat([this.bytes, ...this.chunks.splice(0)]);
    return this.bytes;
  }

  private until(condition: () => boolean, what: string): Promise<void> {
    return new Promise((done, fail) => {
      const finish = (error?: Error): void => {
        clearTimeout(late);
        this.waiters.delete(look);
        if (error === undefined) done();
        else fail(error);
      };
      const problem = (why: string): Error =>
        new Error(`${why}, waiting for ${what}; what came: ${JSON.stringify(this.all().toString().slice(0, 2000))}`, {
          cause: this.failure,
        });
      const look = (): void => {
        if (condition()) finish();
        else if (this.ended) finish(problem(`the connection ended${this.failure ? ` (${this.failure.message})` : ''}`));
      };
      const late = setTimeout(() => finish(problem('nothing comes')), PATIENCE);
      this.waiters.add(look);
      look();
    });
  }
}

/** A WebSocket handshake; a header given as '' is left out. */
export function upgradeRequest(path: string, headers: Record<string, string> = {}): string {
  const all: Record<string, string> = {
    Host: 'localhost',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': KEY,
    'Sec-WebSocket-Version': '13',
    ...headers,
  };
  let text = `GET ${path} HTTP/1.1\r\n`;
  for (const [name, value] of Object.entries(all)) if (value !== '') text += `${name}: ${value}\r\n`;
  return `${text}\r\n`;
}

/** A frame as clients send it: masked. */
export function clientFrame(data: string | Buffer, opcode = 1, fin = true): Buffer {
  const payload = Buffer.from(data as string);
  const { length } = payload;
  let header: Buffer;
  if (length < 126) header = Buffer.from([0, 128 | length]);
  else if (length < 65536) {
    header = Buffer.from([0, 128 | 126, 0, 0]);
    header.writeUInt16BE(length, 2);
  } else {
    header = Buffer.alloc(10);
    header[1] = 255;
    header.writeBigUInt64BE(BigInt(length), 2);
  }
  header[0] = (fin ? 128 : 0) | opcode;
  const mask = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
  return Buffer.concat([header, mask, payload.map((byte, i) => byte ^ mask[i & 3])]);
}
