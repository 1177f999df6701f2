#!/usr/bin/env node
import { isCommand, runCommand } from './command/main.ts';

const argv = process.argv.slice(2);
if (isCommand(argv)) await runCommand(argv);
else {
  const { main } = await import('./daemon/cli.ts');
  await main(argv);
}
