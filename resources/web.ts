import { Opcodes } from './lib/opcodes.ts';

/** `/web`: for web pages. */
export default class Web extends Opcodes {
  static override path = '/web';
  static override accepts = ['ws', 'wss'] as const;
}
