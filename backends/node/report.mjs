/*
 * Tells pages and jobs how far a script is, with Node's fetch.
 *
 *   node report.mjs feedback UUID TEXT    tells the page that has this uuid
 *   node report.mjs broadcast TEXT        tells every page
 *   node report.mjs progress UUID         tells the page 0 to 100 %
 *   node report.mjs open TITLE            opens a job and prints its id
 *   node report.mjs job ID FILE...        does the work of the job: adds up the sizes of files
 *
 * WEBSOCK_URL is the daemon, http://localhost:8096 if it is not set; WEBSOCK_KEY the backend's key, or a ticket.
 * It ends with 0, or says why not and ends with 1.
 */
import { stat } from 'node:fs/promises';

const URL_OF_DAEMON = process.env.WEBSOCK_URL || 'http://localhost:8096';
const KEY = process.env.WEBSOCK_KEY ?? '';

/**
 * Sends one packet to a resource.
 * @returns its `next`, with `packets`: what the resource has answered.
 * @throws Error: it has not arrived, or was refused; the message says why.
 */
async function post(path, packet) {
  const headers = { 'Content-Type': 'application/json' };
  if (KEY !== '') headers.Authorization = `Bearer ${KEY}`;
  const signal = AbortSignal.timeout(30_000);
  const request = { method: 'POST', headers, body: JSON.stringify(packet), signal };
  const response = await fetch(URL_OF_DAEMON + path, request).catch((error) => {
    throw error.cause ?? error;
  });
  const text = await response.text();
  if (!/^application\/json\b/.test(response.headers.get('Content-Type'))) throw new Error(text.trim());
  const answer = JSON.parse(text);
  if (answer.error !== undefined) throw new Error(answer.error);
  return answer;
}

/** The work of a job, which says how far it is. */
async function addUp(job, files) {
  let sum = 0;
  for (const [i, file] of files.entries()) {
    const { size } = await stat(file);
    sum += size;
    await post('/jobs', { opcode: 'log', job, text: `${file}: ${size} bytes` });
    const percent = ((i + 1) / files.length) * 100;
    await post('/jobs', { opcode: 'progress', job, percent, text: `${sum} bytes` });
  }
  await post('/jobs', { opcode: 'done', job, text: `${sum} bytes in all` });
}

async function main(what, whom, ...rest) {
  switch (what) {
    case 'feedback': {
      const { delivered } = await post('/php', { opcode: 'feedback', uuid: whom, message: rest.join(' ') });
      return `delivered: ${delivered}\n`;
    }
    case 'broadcast': {
      const { delivered } = await post('/php', { opcode: 'broadcast', message: whom });
      return `delivered: ${delivered}\n`;
    }
    case 'progress':
      for (let percent = 0; percent <= 100; percent += 25) {
        // Here is your work.
        await post('/php', { opcode: 'feedback', uuid: whom, percent, message: `${percent} %` });
      }
      return '';
    case 'open': {
      const { job } = await post('/jobs', { opcode: 'open', title: whom });
      return `${job}\n`;
    }
    case 'job':
      try {
        await addUp(whom, rest);
      } catch (error) {
        await post('/jobs', { opcode: 'failed', job: whom, text: error.message });
        throw error;
      }
      return '';
    default:
      throw new Error('feedback, broadcast, progress, open or job?');
  }
}

try {
  process.stdout.write(await main(...process.argv.slice(2)));
} catch (error) {
  process.stderr.write(`report.mjs: ${error.message}\n`);
  process.exitCode = 1;
}
