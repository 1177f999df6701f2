/** `/echo`: the one of the bench. */
export { default } from '../../resources/echo.ts';
