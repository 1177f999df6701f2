/** The public API of websock: what a resource imports. Everything else is the daemon's own. */
export type { Auth } from './auth/auth.ts';
export type { PhpValue } from './auth/unserialize.ts';
export type { Client, Kind, Scheme, SendOptions } from './connection/client.ts';
export type { MessageSource } from './connection/fragments.ts';
export type { HttpRequest, HttpResponse, ReplyOptions } from './connection/httprequest.ts';
export { RequestError } from './connection/requests.ts';
export type {
  Callbacks,
  Handled,
  HandshakeAnswer,
  HandshakeRequest,
  MessageInfo,
  Notice,
  Requested,
} from './connection/route.ts';
export type { NextFields, Packet } from './packet/packet.ts';
export type { Ticket } from './packet/ticket.ts';
export { Resource } from './resource/resource.ts';
export type { RoomTarget } from './resource/rooms.ts';
export type { ClientInfo, CountFilter, FeedbackOptions, Server, Settings } from './resource/server.ts';
export type { CompressionSettings } from './wire/deflate.ts';
export type { Headers } from './wire/head.ts';
