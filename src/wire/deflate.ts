import type { Extension } from './extensions.ts';

// permessage-deflate, its parameters (RFC 7692 §7.1).

/** How the messages of a resource are compressed. */
export interface CompressionSettings {
  /** Messages of fewer bytes are sent as they are, unless `send` asks for it. */
  readonly threshold: number;
  /** 1 (fast) to 9 (small). */
  readonly level: number;
  /** Let a message refer to the ones before it, at the price of a window of its own for each client. */
  readonly contextTakeover: boolean;
}

/** What was agreed upon, for both directions. */
export interface DeflateParams {
  /** Bits of the window that we compress with: 9 to 15. */
  readonly serverBits: number;
  /** Bits of the window that the client compresses with: 9 to 15. */
  readonly clientBits: number;
  /** Whether a message may refer to the ones before it. */
  readonly serverTakeover: boolean;
  readonly clientTakeover: boolean;
}

const NAME = 'permessage-deflate';
/** "A decimal integer value without leading zeroes between 8 to 15 inclusive" (§7.1.2). */
const WINDOW_BITS = /^(?:[89]|1[0-5])$/;
/** zlib can neither compress with a window of 256 bytes nor does it say so: it takes 512. */
const SMALLEST = 9;
const LARGEST = 15;

/**
 * Answers the offers of permessage-deflate, the first that can be accepted (RFC 7692 §5, §7).
 * @param contextTakeover whether we allow it, in either direction.
 * @returns null: none can be accepted, and the connection goes on without the extension.
 */
export function negotiateDeflate(
  offers: readonly Extension[],
  contextTakeover: boolean,
): { params: DeflateParams; response: string } | null {
  for (const offer of offers) {
    const params = offer.name === NAME ? accept(offer.params, contextTakeover) : null;
    if (params !== null) return { params: params.agreed, response: [NAME, ...params.response].join('; ') };
  }
  return null;
}

/** Accepts one offer, or declines it with null. */
function accept(
  offered: Extension['params'],
  contextTakeover: boolean,
): { agreed: DeflateParams; response: string[] } | null {
  const seen = new Map(offered);
  if (seen.size !== offered.length) return null; // "multiple extension parameters with the same name"
  for (const [name, value] of seen) if (!valid(name, value)) return null;

  const response: string[] = [];
  // Asked for, it must be granted (§7.1.1.1); not asked for, it may be said all the same.
  const serverTakeover = contextTakeover && !seen.has('server_no_context_takeover');
  if (!serverTakeover) response.push('server_no_context_takeover');
  // From the client it is a hint that it will not (§7.1.1.2): to say it too saves us its window.
  const clientTakeover = contextTakeover && !seen.has('client_no_context_takeover');
  if (!clientTakeover) response.push('client_no_context_takeover');

  const serverBits = Number(seen.get('server_max_window_bits') ?? LARGEST);
  if (serverBits < SMALLEST) return null; // "the server doesn't support the offered configuration"
  if (seen.has('server_max_window_bits')) response.push(`server_max_window_bits=${serverBits}`);
  // A hint as well (§7.1.2.2), which may be ignored. It is for 8: who says so and uses zlib compresses with 9.
  const hint = Number(seen.get('client_max_window_bits') ?? 0);
  const clientBits = hint < SMALLEST ? LARGEST : hint;
  if (hint === clientBits) response.push(`client_max_window_bits=${clientBits}`);
  return { agreed: { serverBits, clientBits, serverTakeover, clientTakeover }, response };
}

/** Whether an offer may hold this parameter with this value. */
function valid(name: string, value: string | null): boolean {
  if (name === 'server_no_context_takeover' || name === 'client_no_context_takeover') return value === null;
  if (name === 'server_max_window_bits') return value !== null && WINDOW_BITS.test(value);
  return name === 'client_max_window_bits' && (value === null || WINDOW_BITS.test(value));
}
