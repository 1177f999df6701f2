import type { TransportSocket } from '../transport/transport.ts';
import type { Cork } from './cork.ts';
import type { Deadline, Deadlines } from '../transport/deadlines.ts';
import { Debt, type Debtor, type Debts } from './debts.ts';
import type { LimitValues } from './limits.ts';

/** Milliseconds in which the log hears once of messages that were left out for one client. */
const DROP_LINES = 60_000;

/** Who is told what becomes of the output. */
export interface OutputOwner {
  /** The client does not read: it is to be closed; told so again, destroyed. `owed`: bytes that wait for it. */
  onSlow(limit: 'sendQueue' | 'maxSendMemory' | 'writeTimeout', owed: number): void;
  /** Messages that may be dropped are, for older ones wait: the first of them in a while. `owed`: bytes that wait. */
  onDrop(owed: number): void;
  /** Too much waits: no more is to be read until `onDrain` of the socket, or `onRelief`. */
  onBacklog(): void;
  onRelief(): void;
}

export interface OutputContext {
  readonly values: LimitValues;
  readonly deadlines: Deadlines;
  readonly cork: Cork;
  readonly debts: Debts;
}

/** The half of an output that knows what waits for its client, and whether the client keeps up. */
export abstract class Owing implements Deadline, Debtor {
  slot: number | null = null;
  before: Deadline | null = null;
  after: Deadline | null = null;
  abstract ended: boolean;
  protected readonly socket: TransportSocket;
  protected readonly context: OutputContext;
  protected readonly owner: OutputOwner;
  /** null: it has always taken everything at once. */
  private debt: Debt | null = null;

  constructor(socket: TransportSocket, context: OutputContext, owner: OutputOwner) {
    this.socket = socket;
    this.context = context;
    this.owner = owner;
  }

  /** Bytes not yet taken by the kernel. */
  abstract get waiting(): number;
  abstract get kept(): number;
  /** What was sent before waits for this client. */
  protected abstract get isBehind(): boolean;

  get pending(): number {
    const { socket } = this;
    // With TLS everything is pending until the event loop turns: that is owed to nobody's slowness.
    return socket.behind ? socket.pending : 0;
  }

  get taken(): number {
    return this.socket.taken;
  }

  get secure(): boolean {
    return this.socket.secure;
  }

  /** How it reads, for the log; '' for who has always taken everything. */
  get pace(): string {
    return this.debt?.pace(this.context.debts.now()) ?? '';
  }

  /** Messages that were left out, for older ones were waiting. */
  get dropped(): number {
    return this.debt?.dropped ?? 0;
  }

  /**
   * A message that may be dropped is to be sent. It is left out if something older is still waiting, in the kernel's way
   * or behind a message in fragments: when its turn came it would be old itself.
   */
  drops(): boolean {
    if (this.ended) return true;
    if (!this.isBehind && !this.isMuch(this.waiting)) return false;
    const { debts } = this.context;
    const debt = this.owed();
    debt.dropped++;
    debts.dropped++;
    const now = debts.now();
    if (now - debt.told >= DROP_LINES) {
      debt.told = now;
      this.owner.onDrop(this.waiting);
    }
    return true;
  }

  /**
   * After a write: does the peer keep up?
   * @param wrote bytes. @param shared they end with this long frame, which others are sent too.
   */
  watch(wrote = 0, shared: Buffer | null = null): void {
    if (this.socket.pending === 0) {
      if (this.debt?.counted === true) this.account();
      return;
    }
    const debt = this.owed();
    if (this.slot === null) this.armWrite(debt);
    this.context.debts.owe(debt, wrote, shared);
    if (this.isFull) this.owner.onBacklog();
  }

  /** Its client's messages bring about much at once: the next one waits until the others had their turn. */
  onBurst(): void {
    this.owner.onBacklog();
    setImmediate(() => {
      if (!this.isFull) this.owner.onRelief();
    });
  }

  /** The write deadline: a peer that has taken something since it was armed has its time again. */
  expire(): void {
    const { pending, taken } = this.socket;
    const debt = this.owed();
    if (pending === 0) this.account();
    else if (taken === debt.armed) this.owner.onSlow('writeTimeout', pending);
    else {
      debt.watch(this.context.debts.now());
      this.armWrite(debt);
    }
  }

  /** Too much waits for all clients, and this one is slower than others. */
  giveUp(): void {
    this.owner.onSlow('maxSendMemory', this.waiting);
  }

  /** Tells what waits now, where something does or did. */
  protected account(): void {
    if (this.debt?.counted !== true && this.kept === 0 && !this.socket.behind) return;
    this.context.debts.owe(this.owed());
  }

  /** Nothing waits any more, for its client is gone. */
  protected forgive(): void {
    if (this.debt !== null) this.context.debts.forget(this.debt);
  }

  /** The socket has much to take, and will say when it has. */
  protected get isFull(): boolean {
    return this.isMuch(this.socket.pending) && this.socket.willDrain;
  }

  protected isMuch(bytes: number): boolean {
    return bytes > this.context.values.sendQueue / 2;
  }

  private owed(): Debt {
    this.debt ??= new Debt(this);
    return this.debt;
  }

  private armWrite(debt: Debt): void {
    debt.armed = this.socket.taken;
    this.context.deadlines.arm(this, this.context.values.writeTimeout);
  }
}
