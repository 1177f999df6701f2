import type { Receiver } from '../wire/engine.ts';

/** A receiver for those who are not let in: they are not listened to. */
export const DEAF: Receiver = {
  onMessage: () => true,
  onPing() {},
  onPong() {},
  onCloseFrame() {},
  onFault() {},
};

/** What a connection that is not open takes no part in: it writes little, and of who is refused nothing is read any more. */
export abstract class Bystander {
  onBehind(): void {
    // What is written is short.
  }

  onDrain(): void {
    // What is written is short.
  }

  onFinish(): void {
    // Its time to leave runs already.
  }

  onDrop(): void {
    // Nothing that may be dropped is written.
  }

  onBacklog(): void {
    // Nothing of it is read any more.
  }

  onRelief(): void {
    // Nothing of it is read any more.
  }
}
