#!/usr/bin/env node
import { main } from './daemon/cli.ts';

await main(process.argv.slice(2));
