import { NetTransport } from '../../src/transport/tcp.ts';
import { type CreateTransport, transportContract } from './contract.ts';
import { listeningContract } from './listening.ts';

const create: CreateTransport = (options, log) => new NetTransport(options, log);

transportContract('NetTransport', create);
listeningContract('NetTransport', create);
