import type { Granted, Guard, Shown, Verdict } from '../../src/auth/auth.ts';
import { type OpenerBed, openerBed, type OpenerBedOptions } from './openerbed.ts';

export const NO: Verdict = {
  refusal: { status: 401, text: 'the token is wrong', headers: { 'WWW-Authenticate': 'Bearer' } },
  guessed: true,
};

export interface Guarded extends OpenerBed {
  /** What the guard was shown. */
  readonly shown: Shown[];
}

/** A resource whose path has a guard that gives this verdict; it accepts the token `right` if none is given. */
export function guarded(
  options: OpenerBedOptions & {
    verdict?: Verdict | Promise<Verdict>;
    backends?: boolean;
    guessable?: boolean;
    granted?: Granted;
  } = {},
): Guarded {
  const shown: Shown[] = [];
  const granted = options.granted ?? { auth: { mode: 'token' } };
  const guard: Guard = {
    mode: 'token',
    backends: options.backends ?? false,
    guessable: options.guessable ?? true,
    judge: (what) => {
      shown.push(what);
      return options.verdict ?? (what.token === 'right' ? granted : NO);
    },
  };
  const bed = openerBed({ ...options, guards: { of: (path) => (path === '/' ? guard : null) } });
  return { ...bed, shown };
}
