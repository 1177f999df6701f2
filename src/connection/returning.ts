import type { Secret } from './session.ts';

/** A subprotocol that begins so is no subprotocol, but says which session its client comes back to (PROTOCOL.md §9). */
const PREFIX = 'websock.resume.';
const RETURN = /^websock\.resume\.([\w-]{16})([\w-]{32})\.(\d{1,15})$/;
const FIELD = /^(sec-websocket-protocol:)(.*)$/gim;

/** What a client shows that comes back. */
export interface Return {
  readonly secret: Secret;
  /** How many messages it has received in all. */
  readonly received: number;
}

/** Whether such a thing is among the subprotocols that a client offers, by the field as it stands. */
export function showsReturn(field: string | undefined): boolean {
  return field?.includes(PREFIX) ?? false;
}

/** What the client shows; nobody's session, where it cannot be read. */
export function returnIn(field: string): Return {
  for (const name of elementsOf(field)) {
    const match = RETURN.exec(name);
    if (match !== null) return { secret: { key: match[1], proof: match[2] }, received: Number(match[3]) };
  }
  return { secret: { key: '', proof: '' }, received: 0 };
}

/** The field without it: what is left is for everybody to see. */
export function withoutReturn(field: string): string {
  return elementsOf(field)
    .filter((name) => !name.startsWith(PREFIX))
    .join(', ');
}

/** The head of a request without it. */
export function headWithoutReturn(head: string): string {
  return head.replace(FIELD, (_line, name: string, field: string) => `${name} ${withoutReturn(field)}`);
}

function elementsOf(field: string): string[] {
  return field.split(',').map((name) => name.trim());
}
