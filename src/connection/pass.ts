import type { Auth, Granted } from '../auth/auth.ts';
import { CLOSE } from '../errors.ts';
import type { Deadline, Deadlines } from '../transport/deadlines.ts';

/** Seconds: a clock that is set, or a time that never comes, is looked at again after this. */
const LOOK_AGAIN = 3600;

type Arming = Pick<Deadlines, 'arm' | 'disarm'>;

/** What authentication has given to a client; and what ends it when its time is over. */
export class Pass implements Deadline {
  slot: number | null = null;
  before: Deadline | null = null;
  after: Deadline | null = null;
  readonly auth: Auth;
  readonly ident: string | undefined;
  /** Seconds since 1970; undefined: never. */
  readonly expires: number | undefined;
  private timing: { deadlines: Arming; close: (code: number, reason: string) => void } | null = null;

  constructor({ auth, ident, expires }: Granted) {
    this.auth = auth;
    this.ident = ident;
    this.expires = expires;
  }

  /** Closes its client in time. */
  begin(deadlines: Arming, close: (code: number, reason: string) => void): void {
    if (this.expires === undefined) return;
    this.timing = { deadlines, close };
    this.expire();
  }

  /** Its client has gone. */
  end(): void {
    this.timing?.deadlines.disarm(this);
    this.timing = null;
  }

  expire(): void {
    if (this.timing === null || this.expires === undefined) return;
    const left = this.expires - Date.now() / 1000;
    if (left > 0) this.timing.deadlines.arm(this, Math.min(left, LOOK_AGAIN));
    else this.timing.close(CLOSE.POLICY, 'the token has expired');
  }
}
