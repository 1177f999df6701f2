import type { Outgoing } from '../connection/encode.ts';
import type { Hub, Members } from './hub.ts';

/** Fan-out to the clients of this daemon, in memory. */
export class LocalHub implements Hub {
  private readonly members: Members;

  constructor(members: Members) {
    this.members = members;
  }

  broadcast(app: string, outgoing: Outgoing, except: number | undefined): number {
    let count = 0;
    for (const member of this.members.webClients(app)) {
      if (member.id !== except && member.deliver(outgoing)) count++;
    }
    return count;
  }

  toUuid(uuid: string, outgoing: Outgoing): number {
    return this.members.withUuid(uuid)?.deliver(outgoing) === true ? 1 : 0;
  }

  toIdent(app: string, ident: string, outgoing: Outgoing): number {
    let count = 0;
    for (const member of this.members.withIdent(app, ident)) if (member.deliver(outgoing)) count++;
    return count;
  }
}
