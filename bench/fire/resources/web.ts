/** `/web`: the bundled one. */
export { default } from '../../../resources/web.ts';
