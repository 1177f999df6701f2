// pino-roll comes without types.
declare module 'pino-roll' {
  import type { destination } from 'pino';

  export default function pinoRoll(options: {
    file: string;
    /** Such as `1024b`: bytes from which on the next file is begun. */
    size?: string;
    frequency?: 'daily';
    dateFormat?: string;
    mkdir: boolean;
  }): Promise<ReturnType<typeof destination>>;
}
