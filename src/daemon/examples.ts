import { parse } from 'node:path';
import type { Config } from '../config/load.ts';
import { messageOf } from '../errors.ts';
import { EXAMPLES_FOLDER } from '../http/examples.ts';
import { resourceFiles } from '../resource/loader.ts';

const ALL = 'all';

/**
 * The examples that `examples` asks for, by name, each once.
 * @throws WebsockError WEBSOCK_CONFIG for a name that no example has, or if there are none.
 */
export function examplesOf(config: Config): string[] {
  const asked = config.values.examples;
  if (asked.length === 0) return [];
  let there: string[];
  try {
    // The scripts of their pages are .js.
    there = resourceFiles(EXAMPLES_FOLDER)
      .filter((file) => file.endsWith('.ts'))
      .map((file) => parse(file).name);
  } catch (error) {
    throw config.error('examples', `the examples are not there: ${messageOf(error)}`);
  }
  const unknown = asked.find((name) => name !== ALL && !there.includes(name));
  if (unknown !== undefined) {
    throw config.error('examples', `there is no example '${unknown}'`, `${ALL}, or any of ${there.join(', ')}`);
  }
  return asked.includes(ALL) ? there : there.filter((name) => asked.includes(name));
}
