import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { openChromium } from '../support/chromium.ts';
import { type ConsoleOptions, type ConsolePage, openConsole } from '../support/consolepage.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { withProgram } from '../support/program.ts';

const withChromium = withProgram('chromium', 'chromium');
const KEY = 'correct:horse-battery';
/** Sends as many frames as it is told. */
const FLOOD = `import { Resource } from 'websock';
export default class Flood extends Resource {
  static path = '/flood';
  onData(client, message) { for (let n = 0; n < Number(message); n++) client.send(\`frame \${n}.\`); }
}`;
/** Says everything back, and nothing else. */
const BARE = `import { Resource } from 'websock';
export default class Bare extends Resource {
  static path = '/bare';
  static dialog = false;
  onData(client, message) { client.send(message); }
}`;

let browser: Awaited<ReturnType<typeof openChromium>> | undefined;
let daemon: RunningDaemon;
let keyed: RunningDaemon;
let strict: RunningDaemon;

beforeAll(async () => {
  [daemon, keyed, strict] = await Promise.all([
    startDaemon({ extra: { 'flood.js': FLOOD, 'bare.js': BARE } }),
    startDaemon({ ini: '[backend]\ntrustLoopback=false', env: { WEBSOCK_BACKEND_KEY: KEY } }),
    startDaemon({ ini: "[security]\nallowedOrigins='https://app.example.org'" }),
  ]);
  // Where it is missing, the tests are skipped or fail by themselves.
  browser = await openChromium().catch(() => undefined);
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await Promise.all([daemon.dispose(), keyed.dispose(), strict.dispose()]);
});

/** Gives the console to `use`. The browser must have nothing to complain about. */
async function withConsole(
  use: (console: ConsolePage) => Promise<void>,
  { at = daemon, complaints = [], ...options }: ConsoleOptions & { at?: RunningDaemon; complaints?: unknown[] } = {},
): Promise<void> {
  const opened = await openConsole(browser, at, options);
  await use(opened);
  expect(opened.complaints).toEqual(complaints);
  await opened.page.close();
}

describe('the console in Chromium', () => {
  withChromium('a broadcast of one connection shows in the other, and its next at the sender', async () => {
    await withConsole(async ({ column }) => {
      const [first, second] = [column(1), column(2)];
      await first.connect();
      await second.connect('/web');
      expect(await first.uuid()).toMatch(/^[0-9a-f-]{36}$/);
      await first.send('Broadcast', '{"opcode":"broadcast","message":"to all"}');
      await second.frames(/↓? ?broadcast .*"to all".* 41 B received$/).waitFor();
      await first.frames(/next .*"delivered":1.* received$/).waitFor();
      await first.frames(/broadcast .*"to all".* sent$/).waitFor();
    });
  });

  withChromium('feedback goes to the other connection, whose UUID is filled in', async () => {
    await withConsole(async ({ column }) => {
      const [first, second] = [column(1), column(2)];
      await first.connect();
      await second.connect();
      await second.send('Feedback');
      await first.frames(/feedback .*"50 %".* received$/).waitFor();
      expect(await second.message.inputValue()).toContain(await first.uuid());
    });
  });

  withChromium('in pieces, and binary: each comes back whole, with its round trip', async () => {
    await withConsole(async ({ column }) => {
      const first = column(1);
      await first.connect();
      const text = '{"opcode":"echo","message":"fünf Stücke 😀😀😀"}';
      await first.root.getByRole('radio', { name: 'In pieces' }).check();
      await first.root.getByRole('spinbutton', { name: 'Pieces' }).fill('5');
      await first.send('In pieces', text);
      await first.frames(/echo .*"fünf Stücke 😀😀😀".* received$/).waitFor();
      await first.root.getByText(/^median [\d.]+ ms/).waitFor();
      await first.send('Binary', '7b 22 6f 70 63 6f 64 65 22 3a 22 65 63 68 6f 22 7d');
      await first.frames(/binary .* 7b 22 6f .* sent$/).waitFor();
      await first.frames(/echo .*\{"opcode":"echo"\}.* received$/).waitFor();
      await first.send('Binary', '7b 2');
      await first.root.getByText('half a byte is left over').waitFor();
    });
  });

  withChromium('how a connection ended stands there in words', async () => {
    await withConsole(async ({ column }) => {
      const [first, second] = [column(1), column(2)];
      await first.connect();
      await second.connect();
      await first.send('Quit');
      await first.says('Closed as agreed: quit (1000)');
      await second.send('Text', 'no packet');
      await second.says('Not a valid packet: it is not JSON (1007)');
      await second.frames(/close .*not a valid packet: it is not JSON/).waitFor();
      await second.connect();
      await second.button('Disconnect').click();
      await second.says(/^Closed as agreed/);
    });
  });

  withChromium('a link that is dropped comes back as the same, and loses nothing', async () => {
    await withConsole(async ({ column }) => {
      const [first, second] = [column(1), column(2)];
      await first.connect();
      await second.connect();
      const uuid = await first.uuid();
      await first.button('Drop').click();
      await first.frames(/Trying again in /).waitFor();
      await second.send('Broadcast', '{"opcode":"broadcast","message":"meanwhile"}');
      await first.frames(/The session goes on: nothing was lost/).waitFor();
      await first.frames(/broadcast .*"meanwhile".* received$/).waitFor();
      expect(await first.uuid()).toBe(uuid);
    });
  });

  withChromium('/php, which takes no browsers, by POST', async () => {
    await withConsole(
      async ({ column }) => {
        const [first, second] = [column(1), column(2)];
        await first.connect('/php — by POST');
        await second.connect();
        await first.send('Echo', '{"opcode":"echo","message":"posted"}');
        await first.frames(/next .*"packets":\[\{"opcode":"echo","message":"posted"\}\].* received$/).waitFor();
        await first.send('Feedback');
        await second.frames(/feedback .*"50 %".* received$/).waitFor();
        await first.send('Text', 'no packet');
        await first.frames(/Answered with 400 Bad Request/).waitFor();
      },
      { complaints: [expect.stringContaining('400 (Bad Request)')] },
    );
  });

  withChromium('a resource without the dialog', async () => {
    await withConsole(async ({ column }) => {
      const first = column(1);
      await first.connect('/bare');
      await first.send('Text', 'anything');
      await first.frames(/text anything 8 B received$/).waitFor();
    });
  });

  withChromium('what comes over the wire is text, whatever it says', async () => {
    await withConsole(async ({ page, column }) => {
      const first = column(1);
      await first.connect();
      const text = '{"opcode":"<img src=x onerror=alert(1)>","message":"<b>bold</b>"}';
      await first.send('Text', text);
      const echo = text.replace('<img src=x onerror=alert(1)>', 'echo');
      await first.send('Text', echo);
      const frame = first.frames(/<b>bold<\/b>.* received$/);
      await frame.click();
      expect(await first.root.getByRole('group', { name: 'Selected frame' }).locator('pre').innerText()).toBe(
        JSON.stringify(JSON.parse(echo), null, 2),
      );
      expect(await page.locator('main :is(b, img, script)').count()).toBe(0);
    });
  });

  withChromium('keeps the last 1,000 frames, and filters and pauses them', async () => {
    await withConsole(async ({ column }) => {
      const first = column(1);
      await first.connect('/flood');
      await first.send('Text', '1500');
      await first.root.getByText('frame 1499.', { exact: true }).waitFor();
      await first.frames(/next .* received$/).waitFor(); // the last of all: it must not come in between below
      await first.root.getByText('1000', { exact: true }).waitFor();
      expect(await first.frames().count()).toBe(1000);
      await first.root.getByLabel('Filter the frames').fill('in FRAME 778');
      await first.root.getByText('1 of 1000', { exact: true }).waitFor();
      await first.root.getByLabel('Filter the frames').fill('');
      await first.button('Clear').click();
      await first.button('Pause').click();
      await first.send('Text', '3');
      await first.root.getByText(/^[5-9] new$/).waitFor();
      expect(await first.frames().count()).toBe(0);
      await first.button('Go on').click();
      await first.root.getByText('frame 2.', { exact: true }).waitFor();
    });
  });
});

describe('whoever uses it', () => {
  withChromium('with the keyboard alone: connects, sends, reads a frame', async () => {
    await withConsole(async ({ page, column }) => {
      const first = column(1);
      const press = async (...keys: string[]): Promise<void> => {
        for (const key of keys) await page.keyboard.press(key); // oxlint-disable-line no-await-in-loop
      };
      // The list of resources has the focus; then the query, then the button.
      await press('Tab', 'Tab', 'Enter');
      await first.says(/^Connected/);
      await first.message.focus();
      await press('Control+Enter');
      await first.frames(/next .* received$/).waitFor();
      await first.root.getByRole('listbox', { name: 'Frames' }).focus();
      await press('End', 'Home');
      expect(await first.frames().first().getAttribute('aria-selected')).toBe('true');
      await first.root
        .getByRole('group', { name: 'Selected frame' })
        .getByText(/^ready received at /)
        .waitFor();
      await press('ArrowDown', 'ArrowDown');
      expect(await first.root.getByRole('listbox').getByRole('option', { selected: true }).count()).toBe(1);
      await press('Escape');
      await first.root.getByRole('group', { name: 'Selected frame' }).waitFor({ state: 'hidden' });
      await first.root.getByRole('radio', { name: 'Echo' }).focus();
      await press('ArrowRight');
      expect(await first.message.inputValue()).toContain('broadcast');
    });
  });

  for (const dark of [false, true]) {
    withChromium(`on a phone, ${dark ? 'dark' : 'light'}: one column, nothing beside the screen`, async () => {
      await withConsole(
        async ({ page, column }) => {
          const first = column(1);
          await first.connect();
          await first.send('Echo', `{"opcode":"echo","message":"${'long '.repeat(100)}"}`);
          await first
            .frames(/echo .* received$/)
            .first()
            .click();
          await first.button('curl').click();
          expect(await page.getByRole('region').count()).toBe(1);
          expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
          const [red] =
            /\d+/.exec(await page.evaluate<string>('getComputedStyle(document.body).backgroundColor')) ?? [];
          expect(Number(red) < 128).toBe(dark);
          await page.getByRole('button', { name: 'Connection' }).first().click();
          await column(2).connect();
        },
        { width: 390, dark },
      );
    });
  }

  withChromium('everything that can be pressed or filled in has a name', async () => {
    await withConsole(async ({ page }) => {
      const nameless = await page.evaluate<string[]>(`[...document.querySelectorAll('button, input, select, textarea')]
        .filter((one) => !(one.ariaLabel || one.textContent.trim() || one.labels?.[0]?.textContent.trim() || one.hidden))
        .map((one) => one.outerHTML)`);
      expect(nameless).toEqual([]);
    });
  });

  withChromium('from where the daemon trusts nobody: with the key', async () => {
    await withConsole(
      async ({ column }) => {
        const first = column(1);
        await first.connect('/php — by POST');
        await first.send('Echo');
        await first.frames(/next .*"echo".* received$/).waitFor();
        await first.button('curl').click();
        await first.root.getByText('$WEBSOCK_KEY').waitFor();
      },
      { at: keyed, credentials: `me:${encodeURIComponent(KEY)}@` },
    );
  });

  withChromium('where its page may not connect, is told which option is in the way', async () => {
    await withConsole(
      async ({ page }) => {
        const origin = `http://127.0.0.1:${strict.port}`;
        expect(await page.getByRole('alert').innerText()).toBe(
          `Pages from ${origin} may not connect to this daemon: add it to [security] allowedOrigins to use the console.`,
        );
      },
      { at: strict },
    );
  });
});
