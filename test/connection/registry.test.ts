import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { type Member, Registry } from '../../src/connection/registry.ts';
import { FakeMember } from '../hub/contract.ts';

const APPS = ['/', '/chat'];
const IDENTS = ['', 'a', 'b'];
const ROOMS = ['a', 'b'];

/** Everything that the public methods show, for every name that is used here. */
function shown(registry: Registry, members: readonly Member[]): unknown {
  return {
    ids: [...registry.clients.keys()],
    uuids: members.filter(({ uuid }) => registry.withUuid(uuid) !== undefined).map(({ id }) => id),
    web: APPS.map((app) => [...registry.webClients(app)].map(({ id }) => id)),
    idents: APPS.map((app) => IDENTS.map((ident) => [...registry.withIdent(app, ident)].map(({ id }) => id))),
    rooms: APPS.map((app) => ROOMS.map((room) => [...registry.inRoom(app, room)].map(({ id }) => id))),
    counts: [registry.count(undefined, undefined), ...APPS.map((app) => registry.count(undefined, app))],
  };
}

const EMPTY = {
  ids: [],
  uuids: [],
  web: [[], []],
  idents: APPS.map(() => IDENTS.map(() => [])),
  rooms: APPS.map(() => ROOMS.map(() => [])),
  counts: [0, 0, 0],
};

describe('Registry', () => {
  test('finds a client by id, uuid, app and ident', () => {
    const registry = new Registry();
    const web = new FakeMember(1, { ident: 'a' });
    const line = new FakeMember(2, { kind: 'tcp', ident: 'a' });
    const script = new FakeMember(3, { kind: 'tcp', byUuid: false, ident: 'b', app: '/chat' });
    for (const member of [web, line, script]) registry.add(member);
    line.join(registry, 'a', 'b');
    script.join(registry, 'b');
    expect(registry.clients.get(2)).toBe(line.client);
    expect(registry.withUuid('uuid-1')).toBe(web);
    expect(shown(registry, [web, line, script])).toEqual({
      ids: [1, 2, 3],
      uuids: [1, 2],
      web: [[1], []],
      idents: [
        [[], [1, 2], []],
        [[], [], [3]],
      ],
      rooms: [
        [[2], [2]],
        [[], [3]],
      ],
      counts: [3, 2, 1],
    });
    registry.exit(line, 'a');
    registry.exit(line, 'a');
    expect([registry.inRoom('/', 'a').size, registry.inRoom('/', 'b').size]).toEqual([0, 1]);
    expect([web, line].map((member) => registry.has(member))).toEqual([true, true]);
    registry.remove(line);
    expect([web, line].map((member) => registry.has(member))).toEqual([true, false]);
  });

  test('counts clients by path, app and room', () => {
    const registry = new Registry();
    const members = [
      new FakeMember(1, { app: '/', path: '/' }),
      new FakeMember(2, { app: '/', path: '/web', kind: 'tcp' }),
      new FakeMember(3, { app: '/', path: '/web' }),
      new FakeMember(4, { app: '/chat', path: '/chat' }),
    ];
    for (const member of members) {
      registry.add(member);
      member.join(registry, 'a');
    }
    const counts = (): number[] => [
      registry.count(undefined, undefined),
      registry.count('/web', undefined),
      registry.count('/web', '/'),
      registry.count('/web', '/chat'),
      registry.count(undefined, '/'),
      registry.count('/none', undefined),
      registry.countRoom('a', undefined, '/'),
      registry.countRoom('a', '/web', '/'),
      registry.countRoom('b', undefined, '/'),
    ];
    expect(counts()).toEqual([4, 2, 2, 0, 3, 0, 3, 2, 0]);
    expect(['/web', '/chat', '/none'].map((path) => registry.appOf(path))).toEqual(['/', '/chat', undefined]);
    registry.remove(members[1]);
    expect(counts()).toEqual([3, 1, 1, 0, 2, 0, 2, 1, 0]);
  });

  test('removing twice, and removing who was never there, changes nothing', () => {
    const registry = new Registry();
    const members = [1, 2].map((id) => new FakeMember(id, { ident: 'a' }));
    registry.remove(members[0]);
    registry.add(members[1]);
    registry.remove(members[0]);
    expect([...registry.withIdent('/', 'a')]).toEqual([members[1]]);
    registry.remove(members[1]);
    registry.remove(members[1]);
    expect(shown(registry, members)).toEqual(EMPTY);
  });

  test('nobody is left anywhere when all have gone, in whatever order: no set, no map', () => {
    const about = fc.record({
      app: fc.constantFrom(...APPS),
      ident: fc.constantFrom(...IDENTS),
      kind: fc.constantFrom('websocket' as const, 'tcp' as const),
      byUuid: fc.boolean(),
      rooms: fc.uniqueArray(fc.constantFrom(...ROOMS)),
    });
    fc.assert(
      fc.property(fc.array(about, { maxLength: 12 }), fc.infiniteStream(fc.nat()), (list, picks) => {
        const registry = new Registry();
        const members = list.map((each, i) => new FakeMember(i + 1, each));
        members.forEach((member, i) => {
          registry.add(member);
          member.join(registry, ...list[i].rooms);
        });
        const left = [...members];
        for (const pick of picks) {
          if (left.length === 0) break;
          registry.remove(left.splice(pick % left.length, 1)[0]);
          expect(shown(registry, members)).toEqual({
            ids: left.map(({ id }) => id),
            uuids: left.filter(({ byUuid }) => byUuid).map(({ id }) => id),
            web: APPS.map((app) => left.filter((m) => m.app === app && m.kind === 'websocket').map(({ id }) => id)),
            idents: APPS.map((app) =>
              IDENTS.map((ident) =>
                left.filter((m) => m.app === app && ident !== '' && m.ident === ident).map(({ id }) => id),
              ),
            ),
            rooms: APPS.map((app) =>
              ROOMS.map((room) => left.filter((m) => m.app === app && m.rooms.has(room)).map(({ id }) => id)),
            ),
            counts: [left.length, ...APPS.map((app) => left.filter((m) => m.app === app).length)],
          });
        }
        // Every empty answer is one and the same set: nothing is kept for a name that nobody bears.
        const nobody = registry.webClients('never');
        for (const app of APPS) {
          expect(registry.webClients(app)).toBe(nobody);
          for (const ident of IDENTS) expect(registry.withIdent(app, ident)).toBe(nobody);
          for (const room of ROOMS) expect(registry.inRoom(app, room)).toBe(nobody);
        }
      }),
    );
  });
});
