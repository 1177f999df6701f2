import { Opcodes } from './lib/opcodes.ts';

/** `/`: for every kind of client. */
export default class Default extends Opcodes {
  static override path = '/';
  static override tickets = true;
}
