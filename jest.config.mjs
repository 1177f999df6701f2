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

export default {
  testTimeout: 60000,
  // One more than there are CPUs: most end-to-end tests wait most of the time.
  maxWorkers: availableParallelism() + 1,
  projects: [
    { ...project, displayName: 'main', testMatch: ['<rootDir>/test/**/*.test.ts'] },
    {
      ...project,
      displayName: 'net',
      testMatch: ON_NET.map((name) => `<rootDir>/test/e2e/${name}.test.ts`),
      setupFiles: ['<rootDir>/test/support/net.ts'],
    },
  ],
};
