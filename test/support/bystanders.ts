import { expect } from '@jest/globals';
import { RawPeer } from './rawpeer.ts';
import { WebPeer } from './webpeer.ts';

/** Honest clients beside an attacker: what they are sent by mistake would be in their way when they are asked. */
export class Bystanders {
  readonly web: WebPeer;
  readonly line: RawPeer;
  private readonly url: string;

  private constructor(url: string, web: WebPeer, line: RawPeer) {
    this.url = url;
    this.web = web;
    this.line = line;
  }

  static async at(port: number): Promise<Bystanders> {
    const url = `ws://127.0.0.1:${port}/web`;
    return new Bystanders(url, await WebPeer.open(url), await RawPeer.line({ port }, 'GET /php?ident=__proto__'));
  }

  /** They are answered, and nothing has come to them; who comes fresh is answered too. */
  async areServed(): Promise<void> {
    const { line, url, web } = this;
    await web.nothingElse();
    line.write('{"opcode":"echo","from":"honest"}\n');
    expect([await line.line(), await line.line()]).toEqual([
      '{"opcode":"echo","from":"honest"}',
      '{"opcode":"next","fyi":""}',
    ]);
    const fresh = await WebPeer.open(url);
    await fresh.nothingElse();
    await fresh.close();
  }
}
