import { afterAll, afterEach, beforeAll, describe, expect } from '@jest/globals';
import { openChromium } from '../support/chromium.ts';
import { type ChatOptions, type ChatPage, openChat } from '../support/chatpage.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { freePort } from '../support/freeport.ts';
import { withProgram } from '../support/program.ts';

const withChromium = withProgram('chromium', 'chromium');
/** One pixel. */
const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYPj/HwADAgH/p7XcnQAAAABJRU5ErkJggg==',
  'base64',
);

let browser: Awaited<ReturnType<typeof openChromium>> | undefined;
let daemon: RunningDaemon;
let ini: string;
/** Each in a browser context of its own: three people's browsers. */
let ada: ChatPage;
let bob: ChatPage;
let cy: ChatPage;

beforeAll(async () => {
  ini = `adress='ws://127.0.0.1:${await freePort()}'\nexamples=chat`;
  daemon = await startDaemon({ ini });
  // Where it is missing, the tests are skipped or fail by themselves.
  browser = await openChromium().catch(() => undefined);
  if (browser === undefined) return;
  ada = await open('Ada');
  bob = await open('Bob the Builder', { width: 390, dark: true });
  cy = await open('Cy');
}, 120_000);

afterEach(() => {
  // No page has an error, or runs what somebody said.
  if (browser !== undefined) expect([ada, bob, cy].map(({ complaints }) => complaints)).toEqual([[], [], []]);
});

afterAll(async () => {
  await Promise.all([ada, bob, cy].map((one) => one?.page.context().close()));
  await browser?.close();
  await daemon.dispose();
});

async function open(name: string, options: ChatOptions = {}): Promise<ChatPage> {
  const context = await browser?.context.browser()?.newContext();
  if (context === undefined) throw new Error('Chromium does not start');
  return openChat(context, daemon, name, options);
}

/** A room of their own, where nobody has said anything. */
async function meet(room: string, ...pages: ChatPage[]): Promise<void> {
  await Promise.all(pages.map((page) => page.join(room)));
  const title = { hasText: `(${pages.length})` };
  // Not to be seen on a phone, unless it is asked for.
  await Promise.all(pages.map(({ page }) => page.locator('#people-title', title).waitFor({ state: 'attached' })));
}

const seen = (page: ChatPage, text: string | RegExp): Promise<void> => page.message(text).first().waitFor();

/** What was said in its room: private messages stay where they are. */
function textsOf({ page }: ChatPage): Promise<string[]> {
  return page.locator('#messages > .message:not(.private) > .text').allInnerTexts();
}

/** Stops the daemon, or kills it, and starts the next one. @param meanwhile is called when it has been told to end, `after` when it has. */
async function restart(
  signal: NodeJS.Signals,
  meanwhile: () => Promise<void>,
  after: () => Promise<void>,
): Promise<void> {
  const ended = daemon.stop(signal);
  await meanwhile();
  await ended;
  await after();
  daemon = await startDaemon({ dir: daemon.dir, ini });
  await Promise.all([ada, bob, cy].map((page) => page.wake()));
}

describe('the chat, in the browsers of three people', () => {
  withChromium('nicknames, who is here, and their status; a name that is taken', async () => {
    await meet('hall', ada, bob);
    expect(await bob.page.locator('#people > li .name').allInnerTexts()).toEqual(['Ada', 'Bob the Builder (you)']);
    await bob.showPanes(true);
    await bob.page.getByLabel('Status').selectOption('away');
    await bob.page.getByLabel('Note').fill('back at five');
    await bob.page.getByRole('button', { name: 'Save' }).click();
    await ada.person('Bob').getByText('away: back at five').waitFor();
    const rename = async (name: string): Promise<void> => {
      await bob.page.getByLabel('Name', { exact: true }).fill(name);
      await bob.page.getByRole('button', { name: 'Save' }).click();
    };
    await rename('ADA');
    await bob.page.getByText('Ada is here already: take another name').waitFor();
    await rename('<b>Robert</b>');
    await ada.person('<b>Robert</b>').waitFor();
    await rename('Bob the Builder');
    await ada.person('Bob the Builder').waitFor();
    await cy.page.getByRole('button', { name: 'hall, 2 here' }).waitFor();
    await bob.join('cellar');
    await ada.person('Bob the Builder').waitFor({ state: 'detached' });
  });

  withChromium(
    'on a phone the rooms and people are there instead of the chat; Escape and a button lead back',
    async () => {
      const { page, field } = bob;
      const [away, back] = ['Rooms, people', 'Back to the chat'].map((name) => page.getByRole('button', { name }));
      const places = page.getByRole('heading', { name: 'Rooms' });
      await field.waitFor();
      for (const leave of [() => back.click(), () => page.keyboard.press('Escape')]) {
        await away.click();
        await Promise.all([places.waitFor(), back.waitFor(), field.waitFor({ state: 'hidden' })]);
        await page.getByRole('textbox', { name: 'Name of a room' }).focus();
        await leave();
        await Promise.all([field.waitFor(), away.waitFor(), places.waitFor({ state: 'hidden' })]);
      }
      await page.keyboard.press('Enter'); // on the button, where Escape leaves one
      await back.click();
    },
  );

  withChromium('what is said; nothing of it is markup', async () => {
    await meet('<b>bold</b>', ada, bob);
    const text = 'hello <img src=x onerror="alert(1)"> &amp; <script>alert(2)</script>';
    await ada.say(text);
    await seen(bob, text);
    await ada.say('a line\nand another');
    await seen(bob, /a line\nand another/);
    await ada.press('and another', 'Quote');
    await ada.say('{<i>nobody</i>}');
    await seen(bob, '{<i>nobody</i>}');
    for (const { page } of [ada, bob]) {
      expect(await page.locator('main :is(img, script, i, b)').count()).toBe(0);
      expect(await page.locator('#room').innerText()).toBe('<b>bold</b>');
    }
  });

  withChromium('rooms; and of the last messages one gets 50 on joining', async () => {
    await meet('study', ada, bob, cy);
    const all = [ada, bob, cy];
    await Promise.all(all.map((page, who) => page.sayMany(18, `${who} says `)));
    for (const page of all) for (const who of [0, 1, 2]) await seen(page, `${who} says 18.`);
    await bob.join('attic');
    expect(await textsOf(bob)).toEqual([]);
    await bob.say('up here');
    await seen(bob, 'up here');
    await ada.page.getByRole('button', { name: 'study, 2 here' }).waitFor();
    await ada.page.getByRole('button', { name: 'attic, 1 here' }).waitFor();
    await bob.join('study');
    await seen(bob, '0 says 18.');
    const texts = await textsOf(bob);
    expect(texts).toHaveLength(50);
    expect(texts).toEqual((await textsOf(ada)).slice(-50));
    expect(await ada.message('up here').count()).toBe(0);
  });

  withChromium('a private message, to one of three', async () => {
    await meet('parlour', ada, bob, cy);
    await ada.person('Bob').getByRole('button', { name: 'Private' }).click();
    await ada.page.getByText('Private, to Bob').waitFor();
    await ada.say('psst');
    await seen(bob, 'psst');
    await seen(ada, 'You to Bob');
    await bob.press('psst', 'Answer');
    await bob.say('I hear you');
    await seen(ada, 'I hear you');
    await ada.page.getByRole('button', { name: 'Cancel' }).click();
    await bob.page.getByRole('button', { name: 'Cancel' }).click();
    await ada.say('to all');
    await seen(cy, 'to all');
    expect(await textsOf(cy)).toEqual(['to all']);
  });

  withChromium('a {name} is mentioned: marked, told in another room, and notified where nobody looks', async () => {
    await meet('porch', ada, bob);
    await ada.field.pressSequentially('look, {bo');
    await ada.field.press('Tab');
    expect(await ada.field.inputValue()).toBe('look, {Bob the Builder} ');
    await ada.field.press('Enter');
    await bob.page.locator('.message.mentioned .mention.me', { hasText: 'Bob the Builder' }).waitFor();
    await bob.join('kitchen');
    await bob.page.evaluate(`
      window.notified = [];
      window.Notification = class { static permission = 'granted'; addEventListener() {}
        constructor(title, { body }) { window.notified.push(title + ': ' + body); } };
      Object.defineProperty(document, 'hidden', { value: true, configurable: true });`);
    await ada.say('where are you, {bob the builder}?');
    const words = 'Ada mentions you in porch: where are you, {bob the builder}?';
    await bob.page.getByText(words).waitFor();
    expect(await bob.page.evaluate('window.notified')).toEqual([words]);
    expect(await bob.page.title()).toBe('(1) kitchen · chat');
    await bob.page.evaluate(`
      Object.defineProperty(document, 'hidden', { value: false, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));`);
    expect(await bob.page.title()).toBe('kitchen · chat');
    await bob.page.getByRole('button', { name: 'Go there' }).click();
    await bob.page.locator('.message.mentioned', { hasText: 'where are you' }).waitFor();
  });

  withChromium('one’s own messages are edited and deleted, and quotes follow', async () => {
    await meet('den', ada, bob);
    await ada.say('helo');
    await seen(bob, 'helo');
    expect(await bob.message('helo').getByRole('button').allInnerTexts()).toEqual(['Quote']);
    await bob.press('helo', 'Quote');
    await bob.page.getByText('Answer to Ada: helo').waitFor();
    await bob.say('with two l');
    await ada.message('with two l').locator('blockquote', { hasText: 'Ada' }).getByText('helo').waitFor();
    await ada.field.press('ArrowUp');
    await ada.page.getByText('Edit your message').waitFor();
    expect(await ada.field.inputValue()).toBe('helo');
    await ada.say('hello');
    await bob.message('edited').getByText('hello').waitFor();
    await bob.message('with two l').locator('blockquote').getByText('hello').waitFor();
    await ada.press('edited', 'Delete');
    await bob.message('with two l').locator('blockquote').getByText('deleted').waitFor();
    await bob.message('edited').waitFor({ state: 'detached' });
    expect(await textsOf(bob)).toEqual(['with two l']);
  });

  withChromium('who types', async () => {
    await meet('library', ada, bob);
    await bob.field.pressSequentially('I am wri');
    await ada.page.getByText('Bob the Builder is typing…').waitFor();
    await bob.field.press('Enter');
    await ada.page.getByText('Bob the Builder is typing…').waitFor({ state: 'hidden' });
    await seen(ada, 'I am wri');
  });

  withChromium('small files: a picture is shown, another one saved; one that is too large is refused', async () => {
    await meet('gallery', ada, bob);
    await ada.sendFile('pixel.png', 'image/png', PIXEL);
    await bob.page.getByRole('img', { name: 'pixel.png' }).waitFor();
    expect(await bob.page.evaluate('document.images[0].decode().then(() => document.images[0].naturalWidth)')).toBe(1);
    await ada.sendFile('page.html', 'text/html', Buffer.from('<script>alert(1)</script>'));
    await bob.message('page.html').getByText('25 B', { exact: true }).waitFor();
    await bob.message('page.html').getByRole('button', { name: 'Get' }).click();
    const saving = bob.page.waitForEvent('download');
    await bob.message('page.html').getByRole('link', { name: 'Save' }).click();
    const saved = await saving;
    expect(saved.suggestedFilename()).toBe('page.html');
    expect((await (await saved.createReadStream()).toArray()).join('')).toBe('<script>alert(1)</script>');
    await ada.sendFile('film.mp4', 'video/mp4', Buffer.alloc(200 * 1024));
    await ada.page.locator('#pending', { hasText: 'a file has at most 128 KiB' }).waitFor();
    await ada.page.locator('#pending').getByRole('button', { name: 'Discard' }).click();
    await cy.join('gallery');
    await cy.message('pixel.png').getByRole('button', { name: 'Show' }).click();
    await cy.page.getByRole('img', { name: 'pixel.png' }).waitFor();
  });

  withChromium('the page is loaded again: the same person, who can still edit what was said', async () => {
    await meet('garage', ada, bob);
    await ada.say('before it');
    await seen(bob, 'before it');
    await ada.page.reload();
    await seen(ada, 'before it');
    await ada.press('before it', 'Edit');
    await ada.say('after it');
    await seen(bob, 'after it');
    expect(await bob.person('Ada').count()).toBe(1);
  });

  withChromium('what is not taken is there to be sent again, or discarded', async () => {
    await meet('cell', cy);
    await cy.sayMany(80, 'number ');
    await cy.page.locator('#pending > li:not(.failed)').first().waitFor({ state: 'detached' });
    const failed = cy.page.locator('#pending > li', { hasText: 'too fast: 5 messages a second, please' });
    const before = await failed.count();
    expect(before).toBeGreaterThan(1);
    expect((await cy.page.locator('#messages > .message').count()) + before).toBe(80);
    const text = await failed.first().locator('.text').innerText();
    const again = cy.page.locator('#pending > li.failed').filter({ hasText: text });
    // It may still be too fast.
    for (let tries = 0; tries < 100 && (await cy.message(text).count()) === 0; tries++) {
      await again.or(cy.message(text)).first().waitFor();
      if ((await again.count()) > 0) await again.getByRole('button', { name: 'Send again' }).click();
    }
    await cy.message(text).waitFor();
    await failed.first().getByRole('button', { name: 'Discard' }).click();
    expect(await failed.count()).toBe(before - 2);
  });
});

describe('the chat while the daemon is restarted', () => {
  withChromium('nobody loses a message, nothing is there twice, and everybody is who he was', async () => {
    await meet('office', ada, bob);
    await ada.say('at first');
    await seen(bob, 'at first');
    await bob.press('at first', 'Quote');
    await bob.say('at second');
    await seen(ada, 'at second');
    const said: string[] = ['at first', 'at second'];
    const both = async (from: number, to: number): Promise<void> => {
      for (let n = from; n <= to; n++) {
        said.push(`ada ${n}.`, `bob ${n}.`);
        await Promise.all([ada.say(`ada ${n}.`), bob.say(`bob ${n}.`)]);
      }
    };
    // Some are said before it, some while it stops, some while there is none.
    await both(1, 3);
    await restart(
      'SIGTERM',
      () => both(4, 6),
      () => both(7, 9),
    );
    await both(10, 10);
    for (const page of [ada, bob]) for (const text of said) await seen(page, text);
    const texts = await textsOf(ada);
    expect(texts.toSorted()).toEqual(said.toSorted());
    expect(await textsOf(bob)).toEqual(texts);
    await cy.join('office');
    await seen(cy, 'bob 10.');
    expect(await textsOf(cy)).toEqual(texts);
    expect(await cy.page.locator('#people > li .name').allInnerTexts()).toEqual(['Ada', 'Bob the Builder', 'Cy (you)']);
    expect(await cy.page.locator('#people > li[data-status="lost"]').count()).toBe(0);
    await ada.press('at first', 'Edit');
    await ada.say('mine still');
    await cy.message('at second').locator('blockquote').getByText('mine still').waitFor();
  });

  withChromium(
    'after a crash, which the daemon remembers nothing of, everybody comes in again by himself',
    async () => {
      await meet('yard', ada, bob);
      await ada.say('before');
      await seen(bob, 'before');
      const lost = (): Promise<void> => ada.page.locator('#state[data-state="waiting"]').waitFor();
      await restart('SIGKILL', lost, () => ada.say('in between'));
      await seen(bob, 'in between');
      await bob.say('afterwards');
      await seen(ada, 'afterwards');
      for (const page of [ada, bob]) expect(await textsOf(page)).toEqual(['before', 'in between', 'afterwards']);
      await ada.person('Bob').waitFor();
    },
  );
});
