import { CLOSE } from '../errors.ts';
import type { Engine, Fault, Receiver } from '../wire/engine.ts';
import type { Requests } from './requests.ts';

/** What the bookkeeping of a message takes, about: so much each counts beside its bytes. */
const EACH = 64;

/** The messages of a client, as they are looked at ahead of their turn. */
interface ForeseeingDialog extends Receiver {
  /** A handler of it is in flight. */
  readonly busy: boolean;
  /** A message has come whose turn is not yet. @returns whether nothing is left to be done with it. */
  foresee(b: Buffer, start: number, end: number, binary: boolean): boolean;
}

/** The connection, as what is looked at ahead needs it. */
interface Host {
  readonly engine: Engine;
  readonly dialog: ForeseeingDialog;
  readonly client: { readonly requests: Requests | null };
  /** Whether the next message may be handled now. */
  readonly ready: boolean;
  /** Whether it is read for the sake of an answer. */
  readonly listens: boolean;
  steer(): void;
  /** Nothing more will come by this connection. */
  onLast(code: number, byClient: boolean): void;
}

/**
 * Stands between engine and dialog while a handler is in flight and an answer of its client is waited for, perhaps by that very handler:
 * answers are told at once, and every message is kept until its turn, up to so many bytes.
 */
class Ahead implements Receiver {
  private readonly host: Host;
  private readonly most: number;
  private readonly kept: { readonly handOver: () => void; readonly size: number }[] = [];
  private bytes = 0;
  private handing = false;

  constructor(host: Host, most: number) {
    this.host = host;
    this.most = most;
  }

  get isFull(): boolean {
    return this.bytes >= this.most;
  }

  onMessage(b: Buffer, start: number, end: number, binary: boolean, ascii: boolean, owned: boolean): boolean {
    const { host } = this;
    const { dialog } = host;
    if (!dialog.foresee(b, start, end, binary)) {
      const length = end - start;
      const bytes = owned ? b : Buffer.from(b.subarray(start, end));
      const from = owned ? start : 0;
      this.keep(length, () => dialog.onMessage(bytes, from, from + length, binary, ascii, owned));
    }
    if (host.listens) return true;
    host.steer();
    return false;
  }

  onPing(payload: Buffer): void {
    this.host.dialog.onPing(payload);
  }

  onPong(payload: Buffer): void {
    this.host.dialog.onPong(payload);
  }

  onCloseFrame(code: number, reason: string): void {
    this.keep(0, () => this.host.dialog.onCloseFrame(code, reason));
    this.host.onLast(code, true);
  }

  onFault(fault: Fault, text: string): void {
    this.keep(0, () => this.host.dialog.onFault(fault, text));
    this.host.onLast(CLOSE.PROTOCOL, false);
  }

  /** Hands over what was kept, as far as it can be handled. @returns whether nothing is left. */
  handOver(): boolean {
    const { host, kept } = this;
    const { engine } = host;
    if (this.handing) return false; // from inside of one of their handlers
    this.handing = true;
    try {
      for (let one = this.take(); one !== undefined; one = this.take()) {
        // It says how the engine is to read on, and that has read on already.
        const { raw } = engine;
        one();
        engine.raw = raw;
      }
    } finally {
      this.handing = false;
    }
    return kept.length === 0;
  }

  private take(): (() => void) | undefined {
    const next = this.host.ready ? this.kept.shift() : undefined;
    this.bytes -= next?.size ?? 0;
    return next?.handOver;
  }

  private keep(length: number, handOver: () => void): void {
    this.kept.push({ handOver, size: length + EACH });
    this.bytes += length + EACH;
  }
}

/** Begins to look ahead, where a handler is in flight and an answer is waited for. @param most bytes that are kept, about. */
export function lookAhead(host: Host, most: number): void {
  const { engine, dialog, client } = host;
  if (!dialog.busy || client.requests?.open !== true || engine.receiver instanceof Ahead) return;
  engine.receiver = new Ahead(host, most);
}

/** Whether what comes is looked at ahead of its turn, and there is room for it. */
export function looksAhead({ engine, client }: Host): boolean {
  const { receiver } = engine;
  return receiver instanceof Ahead && !receiver.isFull && client.requests?.open === true;
}

/** Goes on with what has come: what was kept first, as far as it can be handled. */
export function resume(host: Host): void {
  const { engine, dialog } = host;
  const { receiver } = engine;
  if (receiver instanceof Ahead) {
    if (receiver.handOver() && !dialog.busy) engine.receiver = dialog;
    if (!host.ready && !host.listens) {
      engine.hold();
      return;
    }
  }
  engine.resume();
}
