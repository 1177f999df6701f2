import { Opcodes } from './lib/opcodes.ts';

/** `/php`: for backend scripts, by WebSocket, by lines, or by POST. */
export default class Php extends Opcodes {
  static override path = '/php';
  static override tickets = true;
  static override accepts = ['tcp', 'ssl'] as const;
}
