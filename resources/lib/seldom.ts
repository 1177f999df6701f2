/** Milliseconds. */
const MINUTE = 60_000;

/** Says what may happen often once a minute at most, and then how often it did. */
export class Seldom {
  private readonly say: (text: string) => void;
  private readonly kinds = new Map<string, { said: number; since: number }>();

  constructor(say: (text: string) => void) {
    this.say = say;
  }

  /** @param kind one of a few: what is said of the others stands for it. */
  note(kind: string, text: string): void {
    const now = Date.now();
    const last = this.kinds.get(kind);
    if (last !== undefined && now - last.said < MINUTE) {
      last.since++;
      return;
    }
    const more = last === undefined || last.since === 0 ? '' : ` (and ${last.since} times more since it was last said)`;
    this.kinds.set(kind, { said: now, since: 0 });
    this.say(text + more);
  }
}
