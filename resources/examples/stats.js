import { connect } from '/_websock/client.js';
import { byId, followState, pointsOf } from './example.js';

/** Values that the line is drawn through: two minutes. */
const VALUES = 120;
/** @type {number[]} */
const values = [];

/** `1 d 2 h`, `3 min 4 s`, `5 s` @param {number} seconds */
function duration(seconds) {
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return `${minutes > 0 ? `${minutes} min ` : ''}${Math.floor(seconds) % 60} s`;
}

/** @param {string} path @param {number} count @param {number} all */
function makeRow(path, count, all) {
  const row = document.createElement('tr');
  const [label, number, share] = ['mono', 'number', ''].map((kind) => {
    const cell = document.createElement('td');
    cell.className = kind;
    return cell;
  });
  label.textContent = path;
  number.textContent = `${count}`;
  const bar = document.createElement('progress');
  bar.max = Math.max(1, all);
  bar.value = count;
  bar.setAttribute('aria-label', `${count} of ${all}`);
  share.append(bar);
  row.append(label, number, share);
  return row;
}

const connection = connect('/stats');
followState(connection);
connection.on('stats', (packet) => {
  const { all, paths, uptime, memory } =
    /** @type {{ all: number, paths: Record<string, number>, uptime: number, memory: number }} */ (
      /** @type {unknown} */ (packet)
    );
  byId('all').textContent = `${all}`;
  byId('uptime').textContent = duration(uptime);
  byId('memory').textContent = `${(memory / 2 ** 20).toFixed(0)} MiB`;
  values.push(all);
  if (values.length > VALUES) values.shift();
  const most = Math.max(...values);
  byId('most').textContent = `${most}`;
  byId('line').setAttribute('points', pointsOf(values, 0, 1.25 * most));
  const rows = Object.entries(paths).toSorted(([a], [b]) => (a < b ? -1 : 1));
  byId('paths').replaceChildren(...rows.map(([path, count]) => makeRow(path, count, all)));
});
