import { LocalHub } from '../../src/hub/local.ts';
import { hubContract } from './contract.ts';

hubContract('LocalHub', (members) => new LocalHub(members));
