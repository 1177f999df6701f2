import { NetTransport } from '../../src/transport/tcp.ts';
import { type CreateTransport, transportContract } from './contract.ts';
import { listeningContract } from './listening.ts';
import { pressureContract } from './pressure.ts';

const create: CreateTransport = (options, log) => new NetTransport(options, log);

transportContract('net', create);
pressureContract('net', create);
listeningContract('net', create);
