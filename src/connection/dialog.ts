import { CLOSE } from '../errors.ts';
import { NEXT, nextPacket } from '../packet/packet.ts';
import { isBufferOff, isBufferOn, Pieces } from '../packet/pieces.ts';
import type { Engine, Fault, Receiver } from '../wire/engine.ts';
import { giveMemory } from '../wire/spare.ts';
import { Answering } from './answering.ts';
import type { LinkedClient } from './client.ts';
import type { Cork } from './cork.ts';
import type { Deadlines } from '../transport/deadlines.ts';
import type { LimitName, LimitValues } from './limits.ts';
import { MessageTime } from './messagetime.ts';
import type { Output } from './output.ts';
import { type Handled, type MessageInfo, type Notice, promiseOf, type Route } from './route.ts';
import { RequestError, type Requests } from './requests.ts';
import type { Runner, Stalls } from './stalls.ts';

const INFO_TEXT: MessageInfo = { binary: false, buffered: false, again: false };
const INFO_BINARY: MessageInfo = { binary: true, buffered: false, again: false };

/** The connection, as its dialog needs it. */
export interface DialogHost extends Runner {
  readonly client: LinkedClient;
  readonly engine: Engine;
  readonly output: Output;
  /** Whether the next message may be handled now. */
  readonly ready: boolean;
  /** Whether messages are handled at all. */
  readonly open: boolean;
  /** Whether it is read while a handler is in flight, for the sake of an answer. */
  readonly listens: boolean;
  /** A handler is in flight: where an answer is waited for, what comes is looked at ahead of its turn. */
  lookAhead(): void;
  /** A handler's promise is unsettled: it has its time from now on. */
  onBusy(): void;
  /** The promise of a handler has settled: its time is no longer counted. */
  onSettled(): void;
  /** A handler has ended. A close that it asked for, or that waited for it, is due. */
  onHandled(): void;
  /** A promise has settled: the next message may come. */
  goOn(): void;
  /** The client's Close frame. */
  onPeerClose(code: number, reason: string): void;
  /** What a callback threw. */
  onThrown(error: unknown): void;
  /** What a callback threw that nobody waits for any more. */
  onStray(callback: string, error: unknown): void;
  fail(code: number, reason: string): false;
  exceeded(limit: LimitName, text?: string): false;
}

export interface DialogContext {
  readonly values: LimitValues;
  readonly cork: Cork;
  readonly deadlines: Deadlines;
  readonly stalls: Stalls;
}

/** The messages of one client: handed to its resource one at a time, in order, each with its `next` (PROTOCOL.md §4). */
export class Dialog implements Receiver {
  /** A handler is on the stack. */
  handling = false;
  /** A handler's promise is unsettled. */
  busy = false;
  protected readonly host: DialogHost;
  protected route: Route;
  protected readonly context: DialogContext;
  private pieces: Pieces | null = null;
  /** Runs while a message has begun and is not complete; null: none ever took more than one read. */
  private time: MessageTime | null = null;

  constructor(host: DialogHost, route: Route, context: DialogContext) {
    this.host = host;
    this.route = route;
    this.context = context;
  }

  /** `onOpen`: no message is handled before its promise has settled. */
  open(): void {
    const { resource } = this.route;
    this.handling = true;
    let result: unknown;
    try {
      result = resource.onOpen?.(this.host.client);
    } catch (error) {
      this.host.onThrown(error);
    }
    this.handling = false;
    const promise = promiseOf(result);
    if (promise === null) this.host.onHandled();
    else this.wait(promise, 'onOpen');
  }

  /** Its client is asked something: from now on answers do not go to its resource. */
  asked(requests: Requests): void {
    this.route = { ...this.route, resource: new Answering(this.route.resource, requests) };
  }

  /**
   * Looks at a message that has come while a handler is in flight: an answer is told at once.
   * @returns whether nothing is left to be done with it when it is its turn.
   */
  foresee(b: Buffer, start: number, end: number, binary: boolean): boolean {
    const { engine, client } = this.host;
    // Between bufferON and bufferOFF are pieces; they may be cut inside a character.
    if (engine.raw) engine.raw = !isBufferOff(b, start, end);
    else if (isBufferOn(b, start, end)) engine.raw = true;
    else if (!binary) client.requests?.foresee(b.subarray(start, end));
    return false;
  }

  /** Nothing is to come of a handler in flight any more. */
  cut(): void {
    this.busy = false;
  }

  onMessage(b: Buffer, start: number, end: number, binary: boolean, ascii: boolean, owned: boolean): boolean {
    const { route } = this;
    if (route.dialog) {
      if (this.pieces !== null || isBufferOn(b, start, end)) return this.piece(b, start, end, binary);
      if (start === end) return this.acknowledge();
    }
    if (binary || route.textAsBuffer) {
      const bytes = b.subarray(start, end);
      const info = binary ? INFO_BINARY : INFO_TEXT;
      if (!route.borrowed) return this.handle(owned ? bytes : Buffer.from(bytes), info, false);
      if (!owned) return this.handle(bytes, info, false);
      const { cork } = this.context;
      cork.lend(b.buffer);
      const goesOn = this.handle(bytes, info, false);
      if (cork.takeBack()) giveMemory(b);
      return goesOn;
    }
    const text = b.toString(ascii ? 'latin1' : 'utf8', start, end);
    if (!owned) return this.handle(text, INFO_TEXT, false);
    giveMemory(b);
    const { cork } = this.context;
    if (ascii) cork.ascii = text;
    const goesOn = this.handle(text, INFO_TEXT, false);
    cork.ascii = null;
    return goesOn;
  }

  /** What is read, or whether anything is, may have changed: a message has its time while its client can go on with it. */
  timeMessage(): void {
    const { host, context } = this;
    const { messageTimeout } = context.values;
    if (messageTimeout > 0 && host.ready && host.engine.midway) {
      this.time ??= new MessageTime(context.deadlines, () => host.exceeded('messageTimeout'));
      this.time.run(host.engine.completed, messageTimeout);
    } else this.time?.stop();
  }

  onPing(payload: Buffer): void {
    this.host.output.control(this.host.engine.pongFrame(payload));
    this.notice({ type: 'ping', payload });
  }

  onPong(payload: Buffer): void {
    this.notice({ type: 'pong', payload });
  }

  onCloseFrame(code: number, reason: string): void {
    this.notice({ type: 'close', code, reason });
    this.host.onPeerClose(code, reason);
  }

  onFault(fault: Fault, text: string): void {
    if (fault === 'protocol') this.host.fail(CLOSE.PROTOCOL, text);
    else if (fault === 'utf8' || fault === 'deflate') this.host.fail(CLOSE.INVALID, text);
    else this.host.exceeded(fault, text);
  }

  /** Tells the resource of something that is no message. */
  notice(notice: Notice): void {
    const { stalls } = this.context;
    const began = stalls.begin();
    try {
      const result = this.route.resource.onOther(this.host.client, notice);
      promiseOf(result)?.then(undefined, (error: unknown) => {
        if (this.host.open) this.host.onThrown(error);
        else this.host.onStray('onOther', error);
      });
    } catch (error) {
      this.host.onThrown(error);
    }
    stalls.end(began, this.host);
  }

  /** Tells the resource of an error: nothing is left that an error of its `onError` could close. */
  failed(error: unknown): void {
    const { stalls } = this.context;
    const began = stalls.begin();
    try {
      this.watch('onError', this.route.resource.onError(this.host.client, error));
    } catch (second) {
      this.host.onStray('onError', second);
    }
    stalls.end(began, this.host);
  }

  /** Tells the resource that its client has gone. */
  closed(code: number, reason: string): void {
    const { stalls } = this.context;
    const began = stalls.begin();
    try {
      this.watch('onClose', this.route.resource.onClose(this.host.client, code, reason));
    } catch (error) {
      this.host.onStray('onClose', error);
    }
    stalls.end(began, this.host);
  }

  private watch(callback: 'onError' | 'onClose', answer: unknown): void {
    promiseOf(answer)?.then(undefined, (error: unknown) => this.host.onStray(callback, error));
  }

  /** bufferON, a piece, or bufferOFF. */
  private piece(b: Buffer, start: number, end: number, binary: boolean): boolean {
    const { host } = this;
    if (this.pieces === null) {
      const pieces = new Pieces(this.context.values);
      this.pieces = pieces;
      host.engine.raw = true;
      this.notice({ type: 'bufferON' });
      const over = pieces.addFirst(b, start, end, binary);
      return over === null ? this.acknowledge() : host.exceeded(over);
    }
    if (!isBufferOff(b, start, end)) {
      const over = this.pieces.add(b, start, end, binary);
      return over === null ? this.acknowledge() : host.exceeded(over);
    }
    const { pieces } = this;
    const whole = pieces.join();
    this.pieces = null;
    host.engine.raw = false;
    if (whole === null) return host.fail(CLOSE.INVALID, 'the joined pieces of a text message are not UTF-8');
    this.notice({ type: 'bufferOFF' });
    if (whole.length === 0 || !host.open) return this.acknowledge();
    const message = pieces.binary || this.route.textAsBuffer ? whole : whole.toString();
    return this.handle(message, { binary: pieces.binary, buffered: true, again: false }, true);
  }

  /** The `next` of a message that goes no further. */
  private acknowledge(): boolean {
    const { host } = this;
    if (!host.open) return false;
    host.output.arrived(false);
    host.output.next(NEXT);
    return host.ready;
  }

  /**
   * Hands a message to the resource.
   * @param nextFirst keep what it sends until the `next` has gone: what bufferOFF brings about follows its `next`.
   */
  protected handle(message: string | Buffer, info: MessageInfo, nextFirst: boolean): boolean {
    const { host, route } = this;
    if (route.dialog) host.output.arrived(nextFirst);
    let result: Handled | Promise<Handled>;
    this.handling = true;
    try {
      result = route.resource.onData(host.client, message, info);
    } catch (error) {
      this.handling = false;
      host.onThrown(error);
      return false;
    }
    this.handling = false;
    const promise = promiseOf(result);
    if (promise === null) {
      this.done(result as Handled);
      return host.ready;
    }
    this.wait(promise, 'onData');
    return host.listens;
  }

  /** A message was handled. */
  protected done(fields: Handled): void {
    if (this.route.dialog) {
      let next = NEXT;
      try {
        if (typeof fields === 'object' && fields !== null) next = nextPacket(fields);
      } catch (error) {
        this.host.onThrown(error); // what JSON cannot hold
        return;
      }
      this.host.output.next(next);
    }
    this.host.onHandled();
  }

  /** Holds the next message until `promise` settles. */
  private wait(promise: Promise<unknown>, callback: 'onOpen' | 'onData'): void {
    const { host } = this;
    const { stalls } = this.context;
    this.busy = true;
    host.lookAhead();
    host.onBusy();
    promise.then(
      (fields) => {
        stalls.last = host;
        if (!this.busy) return; // its client is gone
        this.busy = false;
        host.onSettled();
        if (callback === 'onData') this.done(fields as Handled);
        else host.onHandled();
        host.goOn();
      },
      (error: unknown) => {
        stalls.last = host;
        if (!this.busy) {
          if (!this.isUnanswered(error)) host.onStray(callback, error);
          return;
        }
        this.busy = false;
        if (this.isUnanswered(error)) this.abandoned();
        else host.onThrown(error);
      },
    );
  }

  /** It is no failure of a handler that its client has gone, or is to go, before it has answered. */
  private isUnanswered(error: unknown): boolean {
    return error instanceof RequestError && error.code === 'closed' && this.host.client.requests?.closed === true;
  }

  /** A handler has ended for want of an answer: its message gets no `next`, for it was not handled. */
  private abandoned(): void {
    const { host } = this;
    host.onSettled();
    host.onHandled();
    host.goOn();
  }
}
