import { Column } from './column.js';

/** Where there is room for two, there are two: to watch a broadcast. */
const WIDE = 900;
/** So many connections side by side: more than anybody can look at. */
const COLUMNS_MOST = 8;

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @type {Column[]} */
const columns = [];
let made = 0;

/** @param {import('./column.js').About} about */
function add(about) {
  const column = new Column(about, ++made, {
    uuid: (except) => columns.find((one) => one !== except && one.uuid !== '')?.uuid ?? '',
    removed: (gone) => {
      columns.splice(columns.indexOf(gone), 1);
      if (columns.length === 0) add(about);
      show();
      byId('add').focus();
    },
    changed: () => {
      for (const one of columns) one.composer.refresh();
    },
  });
  columns.push(column);
  byId('columns').append(column.root);
  show();
  return column;
}

function show() {
  /** @type {HTMLButtonElement} */ (byId('add')).disabled = columns.length >= COLUMNS_MOST;
}

/** @param {string} text */
function notice(text) {
  byId('notice').textContent = text;
  byId('notice').hidden = false;
}

async function start() {
  byId('host').textContent = location.host;
  const response = await fetch(`${location.origin}/_websock/about.json`);
  if (!response.ok) throw new Error((await response.text()).trim());
  /** @type {import('./column.js').About} */
  const about = await response.json();
  if (!about.pages) {
    notice(
      `Pages from ${location.origin} may not connect to this daemon: add it to [security] allowedOrigins to use the console.`,
    );
  }
  const first = add(about);
  if (innerWidth >= WIDE) add(about);
  first.select.focus();
  byId('add').addEventListener('click', () => add(about).select.focus());
}

start().catch((/** @type {unknown} */ error) => {
  notice(`The daemon does not say what it serves: ${error instanceof Error ? error.message : String(error)}`);
});
