/** A network of its own, that can be made to swallow everything. */
import { spawnSync } from 'node:child_process';
import { run } from '../processes.ts';

/** Of the range that RFC 2544 keeps for benchmarks. */
const HERE = '198.18.77.1';
const THERE = '198.18.77.2';
/** Nobody's, too. */
const NOWHERE = '02:00:00:00:00:01';

export class Namespace {
  /** The address of this side. */
  readonly host = HERE;
  /** Runs a command on the other side. */
  readonly within: readonly string[];
  /** When it was made to swallow everything: milliseconds since 1970, as the log has it. */
  swallowed = 0;
  private readonly name: string;
  private readonly near: string;
  private readonly far: string;

  private constructor(name: string) {
    this.name = name;
    this.near = `${name}n`;
    this.far = `${name}f`;
    this.within = ['ip', 'netns', 'exec', name];
  }

  /** @returns why there cannot be one, in place of it. */
  static async make(): Promise<Namespace | string> {
    // Names of interfaces have at most 15 letters.
    const one = new Namespace(`wsfire${process.pid % 1_000_000}`);
    process.on('exit', () => one.remove());
    const { name, near, far } = one;
    const steps = [
      `netns add ${name}`,
      `link add ${near} type veth peer name ${far} netns ${name}`,
      `addr add ${HERE}/30 dev ${near}`,
      `link set ${near} up`,
      `-n ${name} addr add ${THERE}/30 dev ${far}`,
      `-n ${name} link set ${far} up`,
      `-n ${name} link set lo up`,
    ];
    for (const step of steps) {
      // oxlint-disable-next-line no-await-in-loop -- each builds on the one before
      const { ok, err } = await run(['ip', ...step.split(' ')]);
      if (ok) continue;
      one.remove();
      return `it needs a network namespace, as root with iproute2: ip ${step}: ${err.trim()}`;
    }
    return one;
  }

  /** From here on nothing arrives, on either side, and nobody is told: frames go to a machine that does not exist. */
  async swallow(): Promise<void> {
    const neighbour = (address: string, device: string): string[] =>
      `neigh replace ${address} lladdr ${NOWHERE} nud permanent dev ${device}`.split(' ');
    await run(['ip', ...neighbour(THERE, this.near)]);
    await run(['ip', '-n', this.name, ...neighbour(HERE, this.far)]);
    this.swallowed = Date.now();
  }

  /** Its processes must have ended. */
  remove(): void {
    spawnSync('ip', ['link', 'del', this.near], { stdio: 'ignore' });
    spawnSync('ip', ['netns', 'del', this.name], { stdio: 'ignore' });
  }
}
