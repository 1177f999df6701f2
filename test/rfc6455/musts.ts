/**
 * What RFC 6455 demands with MUST, MUST NOT or REQUIRED in §4.2 to §11.3, in our words. musts.test.ts sees to it that each
 * of the server's has a test in this folder whose name begins with the clause.
 */
interface Must {
  /** Section, and a word or the number of a step where a section holds several. */
  readonly clause: string;
  /** Whose duty it is. An endpoint's is the server's too. */
  readonly whose: 'server' | 'client' | 'intermediary';
  readonly what: string;
}

function musts(whose: Must['whose'], rows: Readonly<Record<string, string>>): Must[] {
  return Object.entries(rows).map(([clause, what]) => ({ clause, whose, what }));
}

export const MUSTS: readonly Must[] = [
  ...musts('server', {
    '§4.2.1': 'what is no handshake is answered with an HTTP error, and processed no further',
    '§4.2.1/1': 'a handshake is a GET of HTTP/1.1 or higher',
    '§4.2.1/2': '… with a Host',
    '§4.2.1/3': '… an Upgrade that holds websocket, in any case',
    '§4.2.1/4': '… a Connection with the token Upgrade, in any case',
    '§4.2.1/5': '… a Sec-WebSocket-Key of 16 bytes in base64',
    '§4.2.1/6': '… Sec-WebSocket-Version 13',
    '§4.2.1/7': '… and it may have an Origin',
    '§4.2.1/8': '… a list of tokens as Sec-WebSocket-Protocol',
    '§4.2.1/9': '… a list of extensions as Sec-WebSocket-Extensions',
    '§4.2.1/10': '… and any other fields',
    '§4.2.2/1': 'over TLS, everything goes through the tunnel',
    '§4.2.2 origin': 'an origin that is not wanted gets an HTTP error',
    '§4.2.2 version': 'another version gets an HTTP error that names the right one',
    '§4.2.2 resource name': 'what is not served gets an HTTP error (but see the test)',
    '§4.2.2 subprotocol': 'the subprotocol is one that the client offers; where there is none, no such field is sent',
    '§4.2.2 extensions': 'no extension is named that the client does not offer',
    '§4.2.2/5': 'the answer is a 101 with Upgrade, Connection and Sec-WebSocket-Accept',
    '§4.4': 'a version that is not spoken is answered with all that are',
    '§5.1 unmasked': 'a frame that is not masked closes the connection',
    '§5.1 masking': 'no frame of the server is masked',
    '§5.2 RSV': 'a reserved bit without an extension that gives it a meaning fails the connection',
    '§5.2 opcode': 'an unknown opcode fails the connection',
    '§5.2 length': 'a length is in its shortest form, in network byte order',
    '§5.2 top bit': 'the highest bit of a length of 64 bits is 0',
    '§5.3': 'the payload is unmasked by its key',
    '§5.4 control frames': 'control frames are not fragmented, and are handled in the middle of a message',
    '§5.4 order': 'fragments are delivered in their order',
    '§5.4 interleaving': 'the fragments of two messages are not mixed',
    '§5.4 fragments': 'messages in fragments and in one frame are received, their type being that of the first frame',
    '§5.5': 'control frames have at most 125 bytes and are not fragmented',
    '§5.5.1 body': 'a Close frame has no body, or one that begins with a code of two bytes',
    '§5.5.1 data': 'no data is sent behind a Close frame',
    '§5.5.1 answer': 'a Close frame is answered with one',
    '§5.5.1 end': 'when both have sent one, the server ends the TCP connection at once',
    '§5.5.2': 'a Ping is answered with a Pong, unless a Close frame has come',
    '§5.5.3': 'a Pong has the data of its Ping',
    '§5.6': 'a text message as a whole is UTF-8',
    '§5.8': 'no extension is used that was not negotiated',
    '§6.1/1': 'data is sent while the connection is open, and no longer',
    '§6.1/2': 'data goes in frames as §5.2 has them',
    '§6.1/3': 'the opcode says whether it is text or binary',
    '§6.1/4': 'the last frame has FIN',
    '§6.2': 'what comes is parsed as frames, the type is noted, and what follows a message is a new one',
    '§7.1.2': 'to begin a close, a Close frame with the code and the reason is sent',
    '§7.1.7': 'to fail a connection, the server closes it, and processes nothing more of the client',
    '§7.2.2': 'to abort in the opening handshake, the server closes the connection',
    '§7.4.1': '1005, 1006 and 1015 are in no Close frame',
    '§7.4.2': 'codes that are not used, or reserved, are in no Close frame',
    '§8.1': 'what is to be UTF-8 and is not fails the connection, in the opening handshake too',
    '§9': 'no extension is answered that was not asked for',
    '§9.1': 'an offer of extensions that does not keep the grammar fails the connection',
    '§10.1': 'no input is trusted, whatever its Origin says',
    '§10.4': 'messages larger than can be held are not held',
    '§10.6': 'TLS is supported',
    '§10.7': 'what comes in is validated, always',
    '§11.3.1': 'Sec-WebSocket-Key comes once',
    '§11.3.2': 'Sec-WebSocket-Extensions is in a response once at most',
    '§11.3.3': 'Sec-WebSocket-Accept is in a response once',
    '§11.3.4': 'Sec-WebSocket-Protocol is in a response once at most',
    '§11.3.5': 'Sec-WebSocket-Version comes once',
  }),
  ...musts('client', {
    '§4.1': 'how the opening handshake is sent, and its answer judged',
    '§5.1 client masks': 'mask every frame; close on a frame that is masked',
    '§5.3 keys': 'a fresh key for each frame, that nobody can foresee',
    '§5.5.1 reasons': 'do not show the reason of a Close frame to a user',
    '§6.1/5': 'frames of a client are masked',
    '§7.2.1': 'fail the connection when the transport is lost',
    '§9.1 use': 'use no extension before the server has agreed to it',
    '§10.3': 'a new key for each frame, and nothing of it to be changed once it is under way',
    '§11.1': 'names in URIs go as ASCII',
  }),
  ...musts('intermediary', {
    '§5.4 intermediaries': 'do not change the fragmentation of what you do not understand, nor of control frames',
  }),
];
