import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';

const project = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2023', parser: { syntax: 'typescript' } }, module: { type: 'es6' } },
    ],
  },
  moduleNameMapper: {
    '^websock$': '<rootDir>/src/index.ts',
    '^websock/testing$': '<rootDir>/src/testing.ts',
  },
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
};

/** What goes wrong where a transport is not as the other: once more, on the one that is not the default. */
const ON_NET = ['behind', 'closing', 'droppable', 'hostile', 'http', 'limits', 'stop'];

/**
 * What takes longest: browsers, restarts, programs started by the dozen, clients that are slow on purpose, a million cases. It runs where CI=true, and
 * when tests are asked for by name. All others take less than three minutes.
 */
const LONG = `
  backends/reports command/init command/listen command/send config/load daemon/logger docs/api docs/operator e2e/behind e2e/chromium
  e2e/client e2e/clientpage e2e/clientsession e2e/console e2e/consolecopy e2e/crowd e2e/deflate e2e/deflatememory e2e/droppable
  e2e/fragments e2e/injection e2e/jobspage e2e/life e2e/lossless e2e/openfiles e2e/patience e2e/php e2e/pieces e2e/predecessor
  e2e/pretending e2e/proxies e2e/readme e2e/sessions e2e/slow e2e/stalls e2e/tls e2e/transport examples/chatpage examples/pages fire
  resource/bench rfc6455/closing wire/codec wire/fuzz
`
  .trim()
  .split(/\s+/)
  .map((name) => `/test/${name}.test.ts`);
for (const path of LONG)
  if (!existsSync(new URL(`.${path}`, import.meta.url)))
    throw new Error(`jest.config.mjs names ${path}, which is not there`);

const all = process.env.CI === 'true' || process.argv.slice(2).some((argument) => !argument.startsWith('-'));

const main = { ...project, displayName: 'main', testMatch: ['<rootDir>/test/**/*.test.ts'] };
const net = {
  ...project,
  displayName: 'net',
  testMatch: ON_NET.map((name) => `<rootDir>/test/e2e/${name}.test.ts`),
  setupFiles: ['<rootDir>/test/support/net.ts'],
};

export default {
  testTimeout: 60000,
  // One more than there are CPUs: most end-to-end tests wait most of the time.
  maxWorkers: availableParallelism() + 1,
  projects: all ? [main, net] : [{ ...main, testPathIgnorePatterns: LONG }],
};
