export { describeClose } from './close.ts';
