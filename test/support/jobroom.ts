import { expect } from '@jest/globals';
import type { Packet } from 'websock';
import { TestBench, type TestClient } from 'websock/testing';
import Jobs from '../../resources/jobs.ts';
import { JOBS_OPTIONS } from '../../src/config/jobs.ts';

export const NEXT = { opcode: 'next', fyi: '' };

/** What a `next` says of a message that had no effect. */
export const error = (text: string): Packet => ({ ...NEXT, error: text });

/** `[jobs]`, but for what is given as it is by default. */
export const jobBench = (settings: Record<string, number> = {}): TestBench =>
  new TestBench({
    settings: {
      '/jobs': { ...Object.fromEntries(JOBS_OPTIONS.map((option) => [option.key, option.default])), ...settings },
    },
  }).mount(Jobs);

/** `/jobs`, a page and a backend. */
export interface JobRoom {
  bench: TestBench;
  page: TestClient;
  backend: TestClient;
}

export async function jobRoom(settings?: Record<string, number>): Promise<JobRoom> {
  const bench = jobBench(settings);
  return { bench, page: await bench.connect(), backend: await bench.connect({ scheme: 'tcp' }) };
}

/** What `open` gives. */
export interface Opened {
  job: { id: string } & Record<string, unknown>;
  ticket: string;
  expires: number;
}

/** Opens a job. @returns its packet, with the ticket. */
export async function openJob(client: TestClient, fields: Record<string, unknown> = {}): Promise<Opened> {
  const next = await client.say({ opcode: 'open', title: 'Import', ...fields });
  const packet = client.packets.at(-1) as unknown as Opened;
  expect(next).toEqual({ ...NEXT, job: packet.job.id });
  return packet;
}

/** Who reports from another host. */
export const withTicket = (bench: TestBench, ticket: string): Promise<TestClient> =>
  bench.connect({ scheme: 'tcp', ip: '192.0.2.7', ticket });

/** The state of a job, as a backend that asks for it is told. */
export async function stateOf(bench: TestBench, id: string): Promise<Record<string, unknown>> {
  const asker = await bench.connect({ scheme: 'tcp' });
  await asker.say({ opcode: 'watch', job: id });
  return asker.packets[0].job as Record<string, unknown>;
}
