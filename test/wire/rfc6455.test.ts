import { WebSocketEngine } from '../../src/wire/rfc6455.ts';
import { frame } from '../support/frames.ts';
import { engineContract } from './contract.ts';

engineContract({
  name: 'WebSocketEngine',
  create: (receiver, options) => new WebSocketEngine(receiver, options),
  text: (content) => frame({ payload: content }),
});
