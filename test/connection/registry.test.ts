import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { type Member, Registry } from '../../src/connection/registry.ts';
import { FakeMember } from '../hub/contract.ts';

const APPS = ['/', '/chat'];
const IDENTS = ['', 'a', 'b'];

/** Everything that the public methods show, for every name that is used here. */
function shown(registry: Registry, members: readonly Member[]): unknown {
  return {
    ids: [...registry.clients.keys()],
    uuids: members.filter(({ uuid }) => registry.withUuid(uuid) !== undefined).map(({ id }) => id),
    web: APPS.map((app) => [...registry.webClients(app)].map(({ id }) => id)),
    idents: APPS.map((app) => IDENTS.map((ident) => [...registry.withIdent(app, ident)].map(({ id }) => id))),
  };
}

const EMPTY = { ids: [], uuids: [], web: [[], []], idents: APPS.map(() => IDENTS.map(() => [])) };

describe('Registry', () => {
  test('finds a client by id, uuid, app and ident', () => {
    const registry = new Registry();
    const web = new FakeMember(1, { ident: 'a' });
    const line = new FakeMember(2, { kind: 'tcp', ident: 'a' });
    const script = new FakeMember(3, { kind: 'tcp', byUuid: false, ident: 'b', app: '/chat' });
    for (const member of [web, line, script]) registry.add(member);
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
    });
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
    });
    fc.assert(
      fc.property(fc.array(about, { maxLength: 12 }), fc.infiniteStream(fc.nat()), (list, picks) => {
        const registry = new Registry();
        const members = list.map((each, i) => new FakeMember(i + 1, each));
        for (const member of members) registry.add(member);
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
          });
        }
        // Every empty answer is one and the same set: nothing is kept for a name that nobody bears.
        const nobody = registry.webClients('never');
        for (const app of APPS) {
          expect(registry.webClients(app)).toBe(nobody);
          for (const ident of IDENTS) expect(registry.withIdent(app, ident)).toBe(nobody);
        }
      }),
    );
  });
});
