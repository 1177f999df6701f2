/** Served beside the console, from its package. */
export { default } from 'uplot';
