import { describe, expect, test } from '@jest/globals';
import { negotiateDeflate } from '../../src/wire/deflate.ts';
import { parseExtensions } from '../../src/wire/extensions.ts';

/** The response to a header; null: none. */
function respond(header: string, contextTakeover = false): string | null {
  return negotiateDeflate(parseExtensions(header) ?? [], contextTakeover)?.response ?? null;
}

function agreed(header: string, contextTakeover = false): unknown {
  return negotiateDeflate(parseExtensions(header) ?? [], contextTakeover)?.params;
}

const NONE = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';

describe('RFC 7692 §5: which offer is answered', () => {
  test.each([
    ['permessage-deflate', NONE],
    ['permessage-deflate; client_max_window_bits', NONE], // Chromium, Firefox
    ['permessage-deflate; server_max_window_bits=10', `${NONE}; server_max_window_bits=10`],
    ['x-webkit-deflate-frame, permessage-deflate', NONE],
    ['permessage-bzip2; a=1, permessage-deflate', NONE],
    // Another extension in the same header is not answered, whatever it is.
    ['permessage-deflate, x-other', NONE],
    // Several offers of it, most wanted first: the first that can be accepted.
    ['permessage-deflate; server_max_window_bits=8, permessage-deflate', NONE],
    [
      'permessage-deflate; server_max_window_bits=9, permessage-deflate; server_max_window_bits=10',
      `${NONE}; server_max_window_bits=9`,
    ],
    [
      'permessage-deflate; mystery, permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits="11"',
      `${NONE}; server_max_window_bits=11`,
    ],
  ])('%s', (header, response) => {
    expect(respond(header)).toBe(response);
  });

  test.each(['foo', 'x-webkit-deflate-frame', 'permessage-deflat', 'Permessage-Deflate', 'permessage-deflate2'])(
    'no offer of it is no extension: %s',
    (header) => {
      expect(respond(header)).toBeNull();
    },
  );
});

describe('RFC 7692 §7: a server MUST decline an offer', () => {
  test.each([
    // "contains an extension parameter not defined for use in an offer"
    'permessage-deflate; mystery',
    'permessage-deflate; mystery=1',
    'permessage-deflate; Server_No_Context_Takeover',
    // "contains an extension parameter with an invalid value"
    'permessage-deflate; server_no_context_takeover=true',
    'permessage-deflate; client_no_context_takeover=1',
    'permessage-deflate; server_max_window_bits',
    'permessage-deflate; server_max_window_bits=7',
    'permessage-deflate; server_max_window_bits=16',
    'permessage-deflate; server_max_window_bits=010',
    'permessage-deflate; server_max_window_bits=09',
    'permessage-deflate; server_max_window_bits=+10',
    'permessage-deflate; server_max_window_bits=1e1',
    'permessage-deflate; server_max_window_bits=10.0',
    'permessage-deflate; server_max_window_bits=0xa',
    'permessage-deflate; server_max_window_bits=ten',
    'permessage-deflate; client_max_window_bits=7',
    'permessage-deflate; client_max_window_bits=16',
    'permessage-deflate; client_max_window_bits=0',
    'permessage-deflate; client_max_window_bits=015',
    'permessage-deflate; client_max_window_bits=-9',
    // "contains multiple extension parameters with the same name"
    'permessage-deflate; server_no_context_takeover; server_no_context_takeover',
    'permessage-deflate; client_no_context_takeover; client_no_context_takeover',
    'permessage-deflate; server_max_window_bits=10; server_max_window_bits=10',
    'permessage-deflate; client_max_window_bits; client_max_window_bits=10',
    // "The server doesn't support the offered configuration."
    'permessage-deflate; server_max_window_bits=8',
  ])('%s', (header) => {
    expect(respond(header)).toBeNull();
    expect(respond(header, true)).toBeNull();
    // Declined is the offer, not the client.
    expect(respond(`${header}, permessage-deflate; server_max_window_bits=12`)).toBe(
      `${NONE}; server_max_window_bits=12`,
    );
  });
});

describe('RFC 7692 §7.1.1: context takeover', () => {
  const params = (serverTakeover: boolean, clientTakeover: boolean): unknown => ({
    serverBits: 15,
    clientBits: 15,
    serverTakeover,
    clientTakeover,
  });

  test.each([
    ['permessage-deflate', 'permessage-deflate', params(true, true)],
    // §7.1.1.1: "A server accepts an extension negotiation offer that includes [it] by including [it] in the response."
    [
      'permessage-deflate; server_no_context_takeover',
      'permessage-deflate; server_no_context_takeover',
      params(false, true),
    ],
    // §7.1.1.2: the client's word that it will not; saying it too lets us do without its window.
    [
      'permessage-deflate; client_no_context_takeover',
      'permessage-deflate; client_no_context_takeover',
      params(true, false),
    ],
    ['permessage-deflate; client_no_context_takeover; server_no_context_takeover', NONE, params(false, false)],
  ])('allowed by us: %s', (header, response, expected) => {
    expect(respond(header, true)).toBe(response);
    expect(agreed(header, true)).toEqual(expected);
  });

  test.each([
    'permessage-deflate',
    'permessage-deflate; server_no_context_takeover',
    'permessage-deflate; client_no_context_takeover',
  ])('not allowed by us, whatever is offered: %s', (header) => {
    expect(respond(header)).toBe(NONE);
    expect(agreed(header)).toEqual(params(false, false));
  });
});

describe('RFC 7692 §7.1.2: window sizes', () => {
  test.each([9, 10, 11, 12, 13, 14, 15])('%d bits in either direction, said and agreed', (bits) => {
    const server = `permessage-deflate; server_max_window_bits=${bits}`;
    expect(respond(server, true)).toBe(server);
    expect(agreed(server)).toMatchObject({ serverBits: bits, clientBits: 15 });
    const client = `permessage-deflate; client_max_window_bits=${bits}`;
    expect(respond(client, true)).toBe(client);
    expect(agreed(client)).toMatchObject({ serverBits: 15, clientBits: bits });
    expect(agreed(`permessage-deflate; client_max_window_bits=${bits}; server_max_window_bits=9`)).toMatchObject({
      serverBits: 9,
      clientBits: bits,
    });
  });

  test('§7.1.2.2: without client_max_window_bits in the offer it MUST NOT be in the response', () => {
    for (const header of ['permessage-deflate', 'permessage-deflate; server_max_window_bits=9']) {
      expect(respond(header)).not.toContain('client_max_window_bits');
    }
  });

  test('§7.1.2.2: client_max_window_bits without a value, or with 8, is not limited: up to 15 is taken', () => {
    for (const header of [
      'permessage-deflate; client_max_window_bits',
      'permessage-deflate; client_max_window_bits=8',
    ]) {
      expect(respond(header, true)).toBe('permessage-deflate');
      expect(agreed(header)).toMatchObject({ clientBits: 15 });
    }
  });
});
