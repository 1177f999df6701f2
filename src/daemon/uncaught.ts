import { realpathSync } from 'node:fs';
import { sep } from 'node:path';
import { describeThrown, framesOf, traceOf } from '../errors.ts';
import type { LogFields } from '../log.ts';

/** What the log says of an error that nobody caught: of which resource it is, as far as its stack tells. */
export class Uncaught {
  /** The folder of the resources, as it is called and as it is. */
  private readonly folders: readonly string[];

  /** @param folder absolute */
  constructor(folder: string) {
    this.folders = [...new Set([folder, real(folder)])].map((name) => (name.endsWith(sep) ? name : name + sep));
  }

  describe(error: unknown): { text: string; fields: LogFields } {
    const frames = framesOf(error);
    const own = frames.find((frame) => this.folders.some((folder) => frame.includes(folder)));
    const stack = traceOf(error);
    if (own !== undefined) {
      const file = /[^(]*?((?:file:\/\/)?\/[^()]*:\d+:\d+)\)?$/.exec(own)?.[1];
      return { text: `nobody caught this error: ${describeThrown(error, own)}`, fields: { file, stack } };
    }
    const whose = frames.length === 0 ? 'it has no stack' : 'no resource is in its stack: it may be a bug of websock';
    return { text: `nobody caught this error: ${describeThrown(error)}; ${whose}`, fields: { stack } };
  }
}

function real(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return folder; // there is none: the daemon says so itself, and ends
  }
}
