import { takeDirect } from '../../src/transport/direct.ts';
import { NetTransport } from '../../src/transport/tcp.ts';
import { type CreateTransport, transportContract } from './contract.ts';
import { listeningContract } from './listening.ts';
import { pressureContract } from './pressure.ts';

const create: CreateTransport = (options, log) => new NetTransport(options, log, takeDirect);

transportContract('direct', create);
pressureContract('direct', create);
listeningContract('direct', create);
