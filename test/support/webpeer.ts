import { type ClientOptions, WebSocket } from 'ws';
import { Queue } from './queue.ts';

export interface Message {
  readonly text: string;
  readonly data: Buffer;
  readonly binary: boolean;
}

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** What stands in a packet that a test looks at. */
export interface SeenPacket {
  opcode: string;
  [field: string]: unknown;
}

export interface WebPeerOptions extends ClientOptions {
  protocols?: string[];
}

/** A web client: the npm package `ws`, its messages in a queue. */
export class WebPeer {
  readonly socket: WebSocket;
  readonly closed: Promise<Closed>;
  /** What `ready` told it; '' if it was made by {@link WebPeer.start}. */
  uuid = '';
  /** Pings that have come. */
  pings = 0;
  private readonly messages = new Queue<Message>();

  private constructor(url: string, { protocols = [], ...options }: WebPeerOptions) {
    this.socket = new WebSocket(url, protocols, { perMessageDeflate: false, ...options });
    this.socket.on('message', (data: Buffer, binary: boolean) => {
      this.messages.push({ data, binary, text: data.toString() });
    });
    this.socket.on('ping', () => this.pings++);
    this.socket.on('error', (error) => this.messages.end(`the connection failed: ${error.message}`));
    this.closed = new Promise((done) => {
      this.socket.on('close', (code, reason) => {
        this.messages.end(`the connection was closed with ${code} ${reason.toString()}`);
        done({ code, reason: reason.toString() });
      });
    });
  }

  /** A client of which nothing has come yet. */
  static start(url: string, options: WebPeerOptions = {}): WebPeer {
    return new WebPeer(url, options);
  }

  /** A client whose first message was `ready`. */
  static async open(url: string, options: WebPeerOptions = {}): Promise<WebPeer> {
    const peer = new WebPeer(url, options);
    const ready = await peer.packet();
    if (ready.opcode !== 'ready') throw new Error(`the first packet is ${JSON.stringify(ready)}`);
    peer.uuid = String(ready.uuid);
    return peer;
  }

  /** Messages that have come and were not taken. */
  get waiting(): number {
    return this.messages.length;
  }

  async message(): Promise<Message> {
    return this.messages.take();
  }

  async text(): Promise<string> {
    return (await this.messages.take()).text;
  }

  async packet(): Promise<SeenPacket> {
    return JSON.parse(await this.text()) as SeenPacket;
  }

  send(data: string | Buffer): void {
    this.socket.send(data);
  }

  sendPacket(packet: SeenPacket): void {
    this.socket.send(JSON.stringify(packet));
  }

  /** Sends a message. @returns the next packet that comes. */
  async ask(message: string | SeenPacket): Promise<SeenPacket> {
    this.send(typeof message === 'string' ? message : JSON.stringify(message));
    return this.packet();
  }

  async close(): Promise<Closed> {
    this.socket.close(1000);
    return this.closed;
  }

  /** Nothing has come that was not taken: what is echoed now is what comes first. */
  async nothingElse(): Promise<void> {
    const marker = `{"opcode":"echo","marker":${Math.random()}}`;
    this.send(marker);
    const first = await this.text();
    if (first !== marker) throw new Error(`there was something else: ${first}`);
    await this.text();
  }
}
