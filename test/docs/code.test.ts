import { expect, test } from '@jest/globals';
import { codeBlocks, documents, documentText } from '../support/markdown.ts';

const MAIN_JOB = 'test/e2e/readme.test.ts';
const OPERATOR = 'test/docs/operator.test.ts';
const RESOURCES = 'test/docs/resources.test.ts';
const PROXIES = 'test/e2e/proxies.test.ts';
const PAGES = 'test/e2e/clientpage.test.ts';
const JOBS = 'test/e2e/jobs.test.ts';

/** Runs every block of its kind, whatever is in it. */
const EVERY = '';

/**
 * Which test runs which block: what the block holds, in its document, by its language. The test names the same text, for it looks the
 * block up by it. `EVERY`: it takes all that are of this language.
 */
const RUN_BY: Record<string, [language: string, holding: string, test: string][]> = {
  'README.md': [
    ['sh', 'npm ci && node', OPERATOR],
    ['sh', 'npm test', OPERATOR],
    ['sh', '--check', OPERATOR],
    ['sh', ' init ', OPERATOR],
    ['sh', '--examples all', OPERATOR],
    ['sh', "printf '/hello", OPERATOR],
    ['sh', 'calc 2+3*4', OPERATOR],
    ['ini', '[auth.chat]', OPERATOR],
    ['sh', 'half of it', MAIN_JOB],
    ['html', "jobs.once('job')", MAIN_JOB],
    ['html', 'websock.connect', MAIN_JOB],
    ['php', 'function report', MAIN_JOB],
    ['sh', 'php -S', MAIN_JOB],
    ['sh', 'createServer', MAIN_JOB],
    ['sh', '"50 %"', MAIN_JOB],
    ['sh', '75 %', MAIN_JOB],
    ['sh', '100 %%', MAIN_JOB],
    ['sh', 'Idempotency-Key', MAIN_JOB],
    ['sh', '"opcode":"ticket"', MAIN_JOB],
    ['json', '"opcode":"ticket"', MAIN_JOB],
    ['sh', '60 %', MAIN_JOB],
    ['sh', '70 %%', MAIN_JOB],
    ['sh', ' listen ', MAIN_JOB],
    ['sh', ' send ', MAIN_JOB],
  ],
  'MIGRATING.md': [
    // What is ported: it needs the server that it was written for, so its syntax is checked.
    ['php', 'class resourceChat', RESOURCES],
    ['ts', 'class Room', RESOURCES],
    ['js', "io.on('connection'", RESOURCES],
    ['ts', 'class Talk', RESOURCES],
    ['sh', 'opcode=say', RESOURCES],
  ],
  'bench/README.md': [['sh', EVERY, OPERATOR]],
  'resources/README.md': [
    ['ts', EVERY, 'test/resource/readme.test.ts'],
    ['js', 'for editors', RESOURCES],
    ['js', 'createReadStream', RESOURCES],
    ['js', 'onRequest', RESOURCES],
    ['js', "'enter'", RESOURCES],
    ['js', 'client.request', RESOURCES],
    ['js', 'server.may', RESOURCES],
    ['js', 'notice.type', RESOURCES],
    ['js', 'figures', RESOURCES],
    ['sh', '--import websock/register', 'test/command/init.test.ts'],
    ['ini', '[/clients]', OPERATOR],
    ['sh', 'opcode=open', JOBS],
    ['sh', 'opcode=log', JOBS],
    ['sh', 'opcode=done', JOBS],
    ['sh', 'job=$JOB -d percent=50', JOBS],
    ['sh', '$TICKET" -d', JOBS],
    ['sh', 'nc -N', JOBS],
    ['html', EVERY, 'test/e2e/jobspage.test.ts'],
  ],
  'src/PROTOCOL.md': [['json', '"title":"Import"', RESOURCES]],
  'src/client/README.md': [
    ['html', 'await connection.ready', PAGES],
    ['html', 'const connection = websock.connect', PAGES],
    ['js', "import { connect } from 'websock/client'", 'test/e2e/client.test.ts'],
    ['js', 'connection.answer', PAGES],
  ],
  'systemd/README.md': [
    // Those of its lines that change a machine are not run: operator.test.ts says which.
    ['sh', EVERY, OPERATOR],
    ['', EVERY, OPERATOR],
    ['ini', "adress='wss://", OPERATOR],
    ['ini', '[auth.chat]', OPERATOR],
    ['ini', "mode='jwt'", OPERATOR],
    ['ini', "mode='php-session'", OPERATOR],
    ['ini', 'session.save_path', OPERATOR],
    ['ini', 'hosts=', OPERATOR],
    ['ini', 'trustedProxies', PROXIES],
    ['nginx', EVERY, PROXIES],
    ['haproxy', EVERY, PROXIES],
  ],
};

test('every block of code in the documentation is run by a test', () => {
  const unknown = documents().flatMap((document) =>
    codeBlocks(documentText(document))
      .filter(
        ({ language, text }) =>
          !RUN_BY[document]?.some(([kind, holding]) => kind === language && text.includes(holding)),
      )
      .map(({ language, text }) => `${document}, ${language}: ${text.split('\n')[0]}`),
  );
  expect(unknown).toEqual([]);
});

test('each test that runs one is there, looks it up in that document, and there is something to run', () => {
  for (const [document, rows] of Object.entries(RUN_BY)) {
    const blocks = codeBlocks(documentText(document));
    for (const [language, holding, file] of rows) {
      const found = blocks.filter((block) => block.language === language && block.text.includes(holding));
      const source = documentText(file);
      const names = document.split('/').slice(-1)[0];
      expect([document, holding, found.length > 0, source.includes(names), source.includes(holding)]).toEqual([
        document,
        holding,
        true,
        true,
        true,
      ]);
    }
  }
});
