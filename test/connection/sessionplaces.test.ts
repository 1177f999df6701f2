import { describe, expect, test } from '@jest/globals';
import { sessionBed } from './sessionbed.ts';

describe('the places of those who wait', () => {
  test('are bounded: the one that has waited longest ends', () => {
    const bed = sessionBed({ values: { maxSessions: 2 } });
    const peers = [1, 2, 3].map(() => bed.connect());
    for (const peer of peers) peer.cut();
    expect(bed.context.sessions.detached).toBe(2);
    expect(bed.resource.calls.at(-2)).toEqual(['onClose', 1006, 'more than 2 sessions were waiting for their clients']);
    expect(bed.context.limits.counters.maxSessions).toBe(1);
    expect(bed.context.log.at('warn')).toEqual([expect.stringContaining('over [dialog] maxSessions')]);
    expect(peers.map(({ session }) => bed.resume(session, 0).first?.opcode)).toEqual(['ready', 'resumed', 'resumed']);
  });

  test('count as connections, for all and for their address, and are theirs when they come back', () => {
    const bed = sessionBed({ values: { maxClients: 3, maxPerIP: 2 } });
    const words = (peer: { heard(): string[] }): string => peer.heard().join(' ');
    const [a, b] = [bed.connect(), bed.connect()];
    a.cut();
    b.cut();
    expect([bed.context.admission.count, bed.context.admission.connected]).toEqual([2, 0]);
    const third = bed.connect();
    expect(words(third)).toContain('close 4429');
    third.cut();
    const other = bed.connect('websock.2', { ip: '127.0.0.2' });
    const more = bed.connect('websock.2', { ip: '127.0.0.3' });
    expect(words(more)).toContain('close 1013');
    more.cut();
    expect(bed.resume(a.session, 0).first).toMatchObject({ opcode: 'resumed' });
    expect(bed.resume(b.session, 0, { ip: '127.0.0.4' }).first).toMatchObject({ opcode: 'resumed' });
    expect([bed.context.admission.count, bed.context.admission.connected]).toEqual([3, 3]);
    other.cut();
    expect([bed.context.admission.count, bed.context.admission.connected]).toEqual([3, 2]);
  });

  test("are nobody else's: who shows a session that he does not get is counted as anybody", () => {
    let protocol = 'websock.2';
    const bed = sessionBed({ values: { maxClients: 1 }, callbacks: { onHandshake: () => ({ protocol }) } });
    const one = bed.connect();
    const shown = `websock.resume.${one.session}`;
    const closed = (protocols: string): string => {
      const peer = bed.connect(protocols);
      const words = peer.heard().join(' ');
      peer.cut();
      return words;
    };
    expect(closed(`websock.2, ${shown}.1`)).toContain('close 1013 Too many connections');
    protocol = 'chat';
    expect(closed(`chat, websock.2, ${shown}.0`)).toContain('close 1013 Too many connections');
    expect(closed(`chat, ${shown}.0`)).toContain('close 1013 Too many connections');
    protocol = 'websock.2';
    expect(bed.resume(one.session, 0).first).toMatchObject({ opcode: 'resumed' });
    expect(bed.context.registry.clients.size).toBe(1);
  });
});
