/** Served beside the console: see src/client. */
export * from '../client/index.ts';
