import { clientFrame, RawPeer, upgradeRequest } from './rawpeer.ts';

/** A client that says hostile things, by frames or by lines. */
export interface Attacker {
  readonly peer: RawPeer;
  say(text: string): void;
  /** The next message. */
  hear(): Promise<string>;
  /** Its last messages, and the code that it was closed with. */
  fate(): Promise<string[]>;
}

/** An attacker of each kind that stays, at the daemon on this port. */
export const ATTACKERS: Record<string, (port: number) => Promise<Attacker>> = {
  web: async (port) => {
    const peer = await RawPeer.open({ port });
    peer.write(upgradeRequest('/web'));
    await peer.head();
    await peer.packet();
    return webSocket(peer);
  },
  script: async (port) => webSocket(await RawPeer.script({ port }, '/php')),
  line: async (port) => {
    const peer = await RawPeer.line({ port }, '/php');
    return {
      peer,
      say: (text) => peer.write(`${text}\n`),
      hear: () => peer.line(),
      fate: async () => (await peer.rest()).split('\n').slice(0, -1),
    };
  },
};

export function webSocket(peer: RawPeer): Attacker {
  return {
    peer,
    say: (text) => peer.write(clientFrame(text)),
    hear: () => peer.text(),
    async fate() {
      const seen: string[] = [];
      for (;;) {
        // oxlint-disable-next-line no-await-in-loop -- one frame after the other
        const { opcode, payload } = await peer.frame();
        if (opcode === 8) return [...seen, `${payload.readUInt16BE()} ${payload.toString('utf8', 2)}`];
        seen.push(payload.toString());
      }
    },
  };
}

/** What somebody hears who is refused: the `close` packet and the Close frame. */
export const refusal = (code: number, error: string): string[] => [
  JSON.stringify({ opcode: 'close', error }),
  `${code} ${error.slice(0, 123)}`,
];
