/** `/php`: the bundled one. */
export { default } from '../../../resources/php.ts';
