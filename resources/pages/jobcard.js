import { clockText, commandText, durationText, percentText, stateText } from './jobwords.js';

/**
 * @typedef {import('../lib/jobtypes.ts').JobView} JobView
 * @typedef {import('../lib/jobtypes.ts').LogLine} LogLine
 *
 * @typedef {object} Report what a packet says of a job, beside `job`.
 * @property {string} opcode
 * @property {number} at
 * @property {number | null} [percent]
 * @property {string} [text]
 * @property {unknown} [result]
 */

/** Lines that the page keeps of one job; the daemon keeps fewer by default. */
const MOST_LINES = 1000;

/** One job on the page. All that comes from elsewhere is shown as text. */
export class JobCard {
  /**
   * @param {HTMLTemplateElement} template
   * @param {{ id: string, ticket: string | null, expires: number }} who
   * @param {string} url where reports are posted to.
   * @param {() => void} onRemove
   */
  constructor(template, who, url, onRemove) {
    this.who = who;
    this.url = url;
    /** @type {JobView | null} */
    this.job = null;
    const fragment = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
    this.root = /** @type {HTMLElement} */ (fragment.firstElementChild);
    this.log = this.part('.log', HTMLOListElement);
    this.words = this.part('.state .words', HTMLElement);
    for (const radio of this.root.querySelectorAll('input')) radio.name = `kind-${who.id}`;
    this.part('.kinds', HTMLElement).addEventListener('change', () => this.showCommand());
    const remove = this.part('[name=remove]', HTMLButtonElement);
    remove.setAttribute('aria-label', `Remove the job ${who.id} from this page`);
    remove.addEventListener('click', onRemove);
    this.copy = this.part('[name=copy]', HTMLButtonElement);
    this.copy.addEventListener('click', () => void this.copyCommand());
    this.part('.id code', HTMLElement).textContent = who.id;
    const alone = new URLSearchParams(location.search); // with the token, where there is one
    alone.delete('job');
    alone.set('job', who.id);
    this.part('.share', HTMLAnchorElement).href = `?${alone}`;
    const start = who.id.slice(0, 8);
    // Only the beginning of the id, and it is seen to be one.
    this.part('h2', HTMLElement).textContent = `Job ${start}${start === who.id ? '' : '…'}`;
    this.say('Asking the daemon');
    this.showCommand();
  }

  /**
   * @template {Element} Type
   * @param {string} selector
   * @param {new () => Type} type
   * @returns {Type}
   */
  part(selector, type) {
    const found = this.root.querySelector(selector);
    if (!(found instanceof type)) throw new Error(`the page has no ${selector}`);
    return found;
  }

  /** What there is to say where the daemon tells nothing of it. @param {string} text */
  say(text) {
    if (this.words.textContent !== text) this.words.textContent = text;
  }

  /**
   * All of it, as the daemon knows it.
   * @param {JobView} job
   * @param {number} now
   */
  show(job, now) {
    this.job = { ...job };
    // A daemon that was restarted has been told of no title.
    if (job.title !== '') this.part('h2', HTMLElement).textContent = job.title;
    const title = this.part('h2', HTMLElement).textContent;
    this.part('progress', HTMLProgressElement).setAttribute('aria-label', `Progress of ${title}`);
    this.log.setAttribute('aria-label', `Log of ${title}`);
    this.log.replaceChildren(...job.log.map((line) => lineOf(line, now)));
    this.showAll(now);
    this.log.scrollTop = this.log.scrollHeight;
  }

  /**
   * What has changed.
   * @param {Report} report
   * @param {number} now
   */
  report(report, now) {
    const { job } = this;
    if (job === null) return;
    if (report.opcode === 'stalled') this.job = { ...job, state: 'stalled' };
    else if (report.opcode === 'log') {
      this.job = { ...job, state: 'running', changed: report.at };
      this.addLine({ at: report.at, text: report.text ?? '' }, now);
    } else {
      const { opcode, at, percent = null, text = '', result } = report;
      const state = opcode === 'done' || opcode === 'failed' ? opcode : 'running';
      const ended = state === 'running' ? null : at;
      this.job = { ...job, state, ended, percent, text, result, changed: at };
    }
    this.showAll(now);
  }

  /** @param {LogLine} line @param {number} now */
  addLine(line, now) {
    const { log } = this;
    const follows = log.scrollHeight - log.scrollTop - log.clientHeight < 20;
    log.append(lineOf(line, now));
    while (log.childElementCount > MOST_LINES) log.firstElementChild?.remove();
    if (follows) log.scrollTop = log.scrollHeight;
  }

  /** @param {number} now */
  showAll(now) {
    const { job } = this;
    if (job === null) return;
    const { state, percent, text, result, ended, logDropped } = job;
    this.root.dataset.state = state;
    const bar = this.part('progress', HTMLProgressElement);
    if (percent === null && state === 'running') bar.removeAttribute('value');
    else bar.value = percent ?? 0;
    this.part('.percent', HTMLOutputElement).textContent = percentText(percent);
    this.part('.text', HTMLElement).textContent = text;
    const results = this.part('.result', HTMLDetailsElement);
    results.hidden = result === undefined;
    this.part('.result pre', HTMLElement).textContent =
      typeof result === 'string' ? result : (JSON.stringify(result, null, 2) ?? '');
    const lines = this.log.childElementCount;
    const logs = this.part('.logs', HTMLDetailsElement);
    if (logs.hidden && lines > 0) logs.open = true;
    logs.hidden = lines === 0;
    this.part('.count', HTMLElement).textContent =
      logDropped === 0 ? String(lines) : `${lines}, ${logDropped} older ones are kept no more`;
    this.part('.report', HTMLElement).hidden = ended !== null;
    const running = state === 'waiting' ? 'Waiting for' : 'Running for';
    this.part('.took', HTMLElement).textContent = ended === null ? running : 'Took';
    this.say(stateText(job));
    this.tick(now);
  }

  /** The time goes on. @param {number} now by the daemon's clock. */
  tick(now) {
    const { job } = this;
    if (job === null) return;
    this.part('.started', HTMLElement).textContent = clockText(job.opened, now);
    this.part('.elapsed', HTMLElement).textContent = durationText((job.ended ?? now) - job.opened);
    const never = job.changed === job.opened && job.state !== 'running';
    const last = never ? 'none yet' : `${durationText(now - job.changed)} ago`;
    this.part('.last', HTMLElement).textContent = job.ended === null ? last : clockText(job.changed, now);
  }

  showCommand() {
    const { id, ticket, expires } = this.who;
    const good = ticket !== null && expires * 1000 > Date.now();
    const checked = this.part('input:checked', HTMLInputElement);
    const command = { id, ticket: good ? ticket : null, url: this.url };
    this.part('.command', HTMLElement).textContent = commandText(checked.value, command);
    this.part('.from', HTMLElement).textContent = good
      ? `From any host, until ${clockText(expires * 1000, Date.now())}. Who has this command can report to the job.`
      : 'From the host of the daemon, or with its key: the ticket of this job is not known here.';
  }

  async copyCommand() {
    const pre = this.part('.command', HTMLElement);
    try {
      await navigator.clipboard.writeText(pre.textContent ?? '');
      this.copy.textContent = 'Copied';
    } catch {
      // Browsers keep the clipboard from pages without TLS, but those of localhost.
      getSelection()?.selectAllChildren(pre);
      this.copy.textContent = 'Press Ctrl+C';
    }
    setTimeout(() => (this.copy.textContent = 'Copy'), 2000);
  }
}

/** @param {LogLine} line @param {number} now */
function lineOf({ at, text }, now) {
  const item = document.createElement('li');
  const time = document.createElement('time');
  time.dateTime = new Date(at).toISOString();
  time.textContent = clockText(at, now);
  const words = document.createElement('span');
  words.textContent = text;
  item.append(time, words);
  return item;
}
