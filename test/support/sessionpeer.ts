import { type Message, type SeenPacket, WebPeer, type WebPeerOptions } from './webpeer.ts';

/** A client that speaks websock.2 over one connection after the other: it sends and counts, and does nothing by itself. */
export class SessionPeer {
  /** What `ready` or `resumed` told it last. */
  first: SeenPacket = { opcode: '' };
  uuid = '';
  session = '';
  /** Messages received in all, those included that it was told to be lost. */
  count = 0;
  web: WebPeer;
  private readonly url: string;
  private readonly options: WebPeerOptions;

  private constructor(url: string, options: WebPeerOptions) {
    this.url = url;
    this.options = options;
    this.web = WebPeer.start(url, { ...options, protocols: ['websock.2'] });
  }

  static async open(url: string, options: WebPeerOptions = {}): Promise<SessionPeer> {
    const peer = new SessionPeer(url, options);
    await peer.begin();
    return peer;
  }

  private async begin(): Promise<void> {
    this.first = JSON.parse(await this.web.text()) as SeenPacket;
    if (this.first.opcode === 'ready') {
      this.uuid = String(this.first.uuid);
      this.session = String(this.first.session);
      this.count = 0;
    } else this.count += Number(this.first.lost);
  }

  /** Loses its connection, without a Close frame. */
  async cut(): Promise<void> {
    this.web.socket.terminate();
    await this.web.closed;
  }

  /** Comes back. @param url default: as before. */
  async resume({ received = this.count, url = this.url }: { received?: number; url?: string } = {}): Promise<void> {
    const protocols = ['websock.2', `websock.resume.${this.session}.${received}`];
    this.web = WebPeer.start(url, { ...this.options, protocols });
    await this.begin();
  }

  say(id: number, payload: string | Buffer, more: object = {}): void {
    const header = `${JSON.stringify({ id, ...more })}\n`;
    this.web.send(typeof payload === 'string' ? header + payload : Buffer.concat([Buffer.from(header), payload]));
  }

  /** The next that comes, which is a message: counted, and without the LF that it may have got. */
  async message(): Promise<string> {
    const { text } = await this.heard();
    if (/^\n(?!\n)/.test(text)) throw new Error(`a packet of the dialog: ${text}`);
    return text.startsWith('\n') ? text.slice(1) : text;
  }

  /** The next that comes, which is a packet of the dialog. */
  async packet(): Promise<SeenPacket> {
    const { text } = await this.heard();
    if (!text.startsWith('\n{')) throw new Error(`a message: ${text}`);
    return JSON.parse(text) as SeenPacket;
  }

  private async heard(): Promise<Message> {
    const message = await this.web.message();
    if (message.binary || !/^\n(?!\n)/.test(message.text)) this.count++;
    return message;
  }
}
