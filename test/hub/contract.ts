import { describe, expect, test } from '@jest/globals';
import type { Client } from '../../src/connection/client.ts';
import { Outgoing } from '../../src/connection/encode.ts';
import { type Member, Registry } from '../../src/connection/registry.ts';
import type { Hub, Members } from '../../src/hub/hub.ts';

/** A client that keeps what it is sent, or takes nothing. */
export class FakeMember implements Member {
  readonly id: number;
  readonly uuid: string;
  readonly ident: string;
  readonly app: string;
  readonly kind: 'websocket' | 'tcp';
  readonly byUuid: boolean;
  readonly client: Client;
  readonly got: Outgoing[] = [];
  readonly rooms = new Set<string>();
  takes = true;

  constructor(
    id: number,
    about: Partial<Pick<Member, 'uuid' | 'ident' | 'app' | 'kind' | 'byUuid'> & { path: string }> = {},
  ) {
    this.id = id;
    this.uuid = about.uuid ?? `uuid-${id}`;
    this.ident = about.ident ?? '';
    this.app = about.app ?? '/';
    this.kind = about.kind ?? 'websocket';
    this.byUuid = about.byUuid ?? true;
    const path = about.path ?? this.app;
    this.client = { id, path, rooms: this.rooms as ReadonlySet<string> } as Client;
  }

  /** In rooms of a registry that it has been added to. */
  join(registry: Registry, ...rooms: string[]): void {
    for (const room of rooms) {
      this.rooms.add(room);
      registry.enter(this, room);
    }
  }

  deliver(outgoing: Outgoing): boolean {
    if (this.takes) this.got.push(outgoing);
    return this.takes;
  }
}

/** What every implementation of Hub must do for the clients of its own daemon. */
export function hubContract(name: string, create: (members: Members) => Hub): void {
  const setUp = (...members: FakeMember[]): Hub => {
    const registry = new Registry();
    for (const member of members) registry.add(member);
    return create(registry);
  };
  const got = (...members: FakeMember[]): number[] => members.map((member) => member.got.length);
  const outgoing = new Outgoing('news', false);

  describe(`${name}: the contract of Hub`, () => {
    test('a broadcast reaches the web clients of its app, once each, but not the one excepted', () => {
      const all = [
        new FakeMember(1),
        new FakeMember(2),
        new FakeMember(3, { app: '/other' }),
        new FakeMember(4, { kind: 'tcp' }),
        new FakeMember(5),
      ];
      expect(setUp(...all).broadcast('/', outgoing, 2)).toBe(2);
      expect(got(...all)).toEqual([1, 0, 0, 0, 1]);
      expect(all[0].got[0]).toBe(outgoing);
    });

    test('a broadcast without exception reaches all; an app without clients has nobody', () => {
      const all = [new FakeMember(1), new FakeMember(2)];
      const hub = setUp(...all);
      expect(hub.broadcast('/', outgoing, undefined)).toBe(2);
      expect(hub.broadcast('/empty', outgoing, undefined)).toBe(0);
      expect(got(...all)).toEqual([1, 1]);
    });

    test('only those who took it are counted', () => {
      const all = [new FakeMember(1, { ident: 'a' }), new FakeMember(2, { ident: 'a' })];
      all[0].takes = false;
      const hub = setUp(...all);
      expect(hub.broadcast('/', outgoing, undefined)).toBe(1);
      expect(hub.toIdent('/', 'a', outgoing)).toBe(1);
      expect(hub.toUuid('uuid-1', outgoing)).toBe(0);
      expect(hub.toUuid('uuid-2', outgoing)).toBe(1);
    });

    test('toUuid reaches one client in whatever app, unless it is not reached by its uuid', () => {
      const all = [
        new FakeMember(1),
        new FakeMember(2, { app: '/other', kind: 'tcp' }),
        new FakeMember(3, { kind: 'tcp', byUuid: false }),
      ];
      const hub = setUp(...all);
      expect(['uuid-1', 'uuid-2', 'uuid-3', 'uuid-4', ''].map((uuid) => hub.toUuid(uuid, outgoing))).toEqual([
        1, 1, 0, 0, 0,
      ]);
      expect(got(...all)).toEqual([1, 1, 0]);
    });

    test('toIdent reaches every client of that name in the app, of any kind, and nobody without a name', () => {
      const all = [
        new FakeMember(1, { ident: 'printer' }),
        new FakeMember(2, { ident: 'printer', kind: 'tcp', byUuid: false }),
        new FakeMember(3, { ident: 'printer', app: '/other' }),
        new FakeMember(4, { ident: 'Printer' }),
        new FakeMember(5),
      ];
      const hub = setUp(...all);
      expect(hub.toIdent('/', 'printer', outgoing)).toBe(2);
      expect(got(...all)).toEqual([1, 1, 0, 0, 0]);
      expect(hub.toIdent('/', '', outgoing)).toBe(0);
      expect(hub.toIdent('/', '5', outgoing)).toBe(0);
    });

    test('toRooms reaches the clients of any kind that are in one of the rooms, once each, but not those excepted', () => {
      const registry = new Registry();
      const all = [
        new FakeMember(1),
        new FakeMember(2, { kind: 'tcp', byUuid: false }),
        new FakeMember(3, { app: '/other' }),
        new FakeMember(4),
        new FakeMember(5),
      ];
      for (const member of all) registry.add(member);
      all[0].join(registry, 'a', 'b');
      all[1].join(registry, 'b');
      all[2].join(registry, 'a', 'b');
      all[3].join(registry, 'a', 'A');
      const hub = create(registry);
      const nobody = new Set<number>();
      expect(hub.toRooms('/', ['a'], outgoing, nobody)).toBe(2);
      expect(got(...all)).toEqual([1, 0, 0, 1, 0]);
      expect(hub.toRooms('/', ['a', 'b', 'a'], outgoing, nobody)).toBe(3);
      expect(got(...all)).toEqual([2, 1, 0, 2, 0]);
      expect(hub.toRooms('/', ['b', 'a'], outgoing, new Set([1, 2, 3]))).toBe(1);
      expect(got(...all)).toEqual([2, 1, 0, 3, 0]);
      expect(hub.toRooms('/', ['c'], outgoing, nobody)).toBe(0);
      expect(hub.toRooms('/none', ['a', 'b'], outgoing, nobody)).toBe(0);
      all[0].takes = false;
      expect(hub.toRooms('/', ['a'], outgoing, nobody)).toBe(1);
      const counts = [['a'], ['b'], ['a', 'b'], ['c']].map((rooms) => [
        hub.countRooms('/', rooms, nobody),
        hub.countRooms('/', rooms, new Set([1, 5])),
      ]);
      expect(counts).toEqual([
        [2, 1],
        [2, 1],
        [3, 2],
        [0, 0],
      ]);
    });

    test('clientsInRooms are the clients themselves, once each, in an array that later changes leave as it is', () => {
      const registry = new Registry();
      const all = [
        new FakeMember(1),
        new FakeMember(2, { kind: 'tcp', byUuid: false }),
        new FakeMember(3),
        new FakeMember(4, { app: '/other' }),
      ];
      for (const member of all) {
        registry.add(member);
        member.join(registry, 'a', 'b');
      }
      const hub = create(registry);
      const nobody = new Set<number>();
      const clients = hub.clientsInRooms('/', ['a', 'b', 'a'], nobody);
      expect(clients).toHaveLength(3);
      for (const [index, client] of clients.entries()) expect(client).toBe(all[index].client);
      expect(hub.clientsInRooms('/', ['a'], new Set([1, 3])).map(({ id }) => id)).toEqual([2]);
      expect([hub.clientsInRooms('/', ['c'], nobody), hub.clientsInRooms('/none', ['a'], nobody)]).toEqual([[], []]);
      registry.remove(all[0]);
      expect(clients).toHaveLength(3);
      clients.length = 0;
      expect(hub.clientsInRooms('/', ['a'], nobody).map(({ id }) => id)).toEqual([2, 3]);
    });

    test('a client that leaves its room, or goes, while a message goes to that room does not disturb it', () => {
      const registry = new Registry();
      const all = [1, 2, 3, 4].map((id) => new FakeMember(id));
      for (const member of all) {
        registry.add(member);
        member.join(registry, 'a');
      }
      all[0].deliver = () => {
        registry.remove(all[0]);
        registry.exit(all[2], 'a');
        return false;
      };
      const hub = create(registry);
      expect(hub.toRooms('/', ['a'], outgoing, new Set())).toBe(2);
      expect(got(...all)).toEqual([0, 1, 0, 1]);
      expect(hub.countRooms('/', ['a'], new Set())).toBe(2);
    });

    test('a client that leaves while a broadcast goes out, or comes, does not disturb it', () => {
      const registry = new Registry();
      const all = [1, 2, 3].map((id) => new FakeMember(id));
      for (const member of all) registry.add(member);
      // A client that is closed for not reading is removed in the middle of a fan-out.
      all[0].deliver = () => {
        registry.remove(all[0]);
        return false;
      };
      const hub = create(registry);
      expect(hub.broadcast('/', outgoing, undefined)).toBe(2);
      expect(got(...all)).toEqual([0, 1, 1]);
      expect(hub.broadcast('/', outgoing, undefined)).toBe(2);
    });
  });
}
