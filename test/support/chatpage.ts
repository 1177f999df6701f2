import type { BrowserContext, Locator, Page } from 'playwright-core';
import type { RunningDaemon } from './daemon.ts';

export interface ChatOptions {
  readonly width?: number;
  readonly dark?: boolean;
  /** Where one comes in; default: the lobby. */
  readonly room?: string;
}

/** The page of the example `chat`, as whoever uses it sees it. */
export class ChatPage {
  readonly page: Page;
  /** Errors and warnings of the browser's console, but for those of connections that are lost. */
  readonly complaints: string[] = [];

  constructor(page: Page) {
    this.page = page;
    page.on('pageerror', ({ message }) => this.complaints.push(message));
    page.on('dialog', (dialog) => this.complaints.push(`a dialog: ${dialog.message()}`));
    page.on('console', (said) => {
      if (said.type() !== 'error' && said.type() !== 'warning') return;
      if (!/^WebSocket connection to .* failed/.test(said.text())) this.complaints.push(said.text());
    });
  }

  get field(): Locator {
    return this.page.getByRole('textbox', { name: 'Message', exact: true });
  }

  /** Messages that show a text. */
  message(text: string | RegExp): Locator {
    return this.page.locator('#messages > .message').filter({ hasText: text });
  }

  person(name: string): Locator {
    return this.page.locator('#people > li').filter({ hasText: name });
  }

  async say(text: string): Promise<void> {
    await this.field.fill(text);
    await this.field.press('Enter');
  }

  /** Says `1.`, `2.` and so on behind a text, faster than anybody types. */
  async sayMany(count: number, text: string): Promise<void> {
    await this.page.evaluate(`
      for (let n = 1; n <= ${count}; n++) {
        document.querySelector('#composer textarea').value = ${JSON.stringify(text)} + n + '.';
        document.querySelector('#composer').requestSubmit();
      }`);
  }

  /** Presses a button of a message, which shows it when it is pointed at. */
  async press(text: string, button: string): Promise<void> {
    const message = this.message(text).first();
    await message.hover();
    await message.getByRole('button', { name: button, exact: true }).click();
  }

  /** Connects at once, as when the browser is online again. */
  async wake(): Promise<void> {
    await this.page.evaluate("dispatchEvent(new Event('online'))");
    await this.page.locator('#state[data-state="open"]').waitFor();
  }

  /** Enters a room by its name. */
  async join(room: string): Promise<void> {
    await this.showPanes(true);
    await this.page.getByRole('textbox', { name: 'Name of a room' }).fill(room);
    await this.page.locator('#other-room').getByRole('button').click();
    await this.page.locator('#room').getByText(room, { exact: true }).waitFor();
  }

  /** On a phone the rooms and people are where they are asked for. */
  async showPanes(shown: boolean): Promise<void> {
    const button = this.page.getByRole('button', { name: shown ? 'Rooms, people' : 'Back to the chat' });
    if (await button.isVisible()) await button.click();
  }

  async enter(name: string, room = 'lobby'): Promise<void> {
    await this.page.getByLabel('Your name').fill(name);
    await this.page.locator('#door').getByLabel('Room').fill(room);
    await this.page.locator('#door').getByRole('button', { name: 'Enter' }).click();
  }

  async sendFile(name: string, mimeType: string, buffer: Buffer): Promise<void> {
    await this.page.locator('#file input').setInputFiles({ name, mimeType, buffer });
  }
}

/** Opens the page, and comes in as `name`. */
export async function openChat(
  context: BrowserContext,
  { port }: RunningDaemon,
  name: string,
  { width = 1280, dark = false, room }: ChatOptions = {},
): Promise<ChatPage> {
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  await page.setViewportSize({ width, height: 844 });
  await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' });
  const chat = new ChatPage(page);
  await page.goto(`http://127.0.0.1:${port}/_websock/examples/chat`);
  await chat.enter(name, room);
  await page.locator('#room').waitFor();
  return chat;
}
