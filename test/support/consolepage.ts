import { type Locator, type Page } from 'playwright-core';
import type { openChromium } from './chromium.ts';
import type { RunningDaemon } from './daemon.ts';

/** One connection of the console, as whoever uses it sees it. */
export class ConsoleColumn {
  readonly root: Locator;
  constructor(page: Page, number: number) {
    this.root = page.getByRole('region', { name: `Connection ${number}` });
  }

  button(name: string): Locator {
    return this.root.getByRole('button', { name, exact: true });
  }

  get message(): Locator {
    return this.root.getByRole('textbox', { name: 'Message' });
  }

  /** All that went over it and is not filtered out. @param text that it shows. */
  frames(text?: string | RegExp): Locator {
    const list = this.root.getByRole('listbox', { name: 'Frames' });
    return list.getByRole('option', text === undefined ? {} : { name: text });
  }

  /** Resolves when its state says so. */
  async says(text: string | RegExp): Promise<void> {
    await this.root.locator('.state').getByText(text).waitFor();
  }

  /** @param label as the list of resources has it. */
  async connect(label = '/'): Promise<void> {
    await this.root.getByLabel('Resource').selectOption({ label });
    await this.button('Connect').click();
    await this.button('Disconnect').waitFor();
    await this.says(/^(?:Connected|Ready)/);
  }

  async uuid(): Promise<string> {
    return this.root.getByTitle('Copy the UUID').innerText();
  }

  /** @param kind what is picked. @param text in place of what is filled in. */
  async send(kind: string, text?: string): Promise<void> {
    await this.root.getByRole('radio', { name: kind, exact: true }).check();
    if (text !== undefined) await this.message.fill(text);
    await this.button('Send').click();
  }
}

/** The console in a browser. */
export interface ConsolePage {
  readonly page: Page;
  /** Errors and warnings of the browser's console. */
  readonly complaints: readonly string[];
  readonly column: (number: number) => ConsoleColumn;
}

export interface ConsoleOptions {
  readonly width?: number;
  readonly dark?: boolean;
  /** In front of the host, with its `@`. */
  readonly credentials?: string;
}

/** Opens the console of a daemon, at the width of a desktop. */
export async function openConsole(
  browser: Awaited<ReturnType<typeof openChromium>> | undefined,
  { port }: RunningDaemon,
  { width = 1280, dark = false, credentials = '' }: ConsoleOptions = {},
): Promise<ConsolePage> {
  if (browser === undefined) throw new Error('Chromium does not start');
  const page = await browser.context.newPage();
  page.setDefaultTimeout(10_000);
  await page.setViewportSize({ width, height: 844 });
  await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' });
  const complaints: string[] = [];
  page.on('pageerror', ({ message }) => complaints.push(message));
  page.on('console', (said) => {
    if (said.type() === 'error' || said.type() === 'warning') complaints.push(said.text());
  });
  await page.goto(`http://${credentials}127.0.0.1:${port}/_websock/`);
  await page.getByRole('region', { name: 'Connection 1' }).waitFor();
  return { page, complaints, column: (number) => new ConsoleColumn(page, number) };
}
