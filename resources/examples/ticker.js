import { connect } from '/_websock/client.js';
import { byId, followState, pointsOf } from './example.js';
import { readSlowly } from './ticker-slow.js';

/** Values that a line is drawn through: a minute. */
const VALUES = 240;

/** @type {Map<string, { show: (price: number) => void }>} */
const rows = new Map();

/** A row of the table. @param {string} name */
function makeRow(name) {
  const row = document.createElement('tr');
  const [label, price, change, chart] = ['', 'number', 'number', ''].map((kind) => {
    const cell = document.createElement('td');
    cell.className = kind;
    return cell;
  });
  label.textContent = name;
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('class', 'line');
  svg.setAttribute('viewBox', '0 0 120 40');
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('aria-hidden', 'true');
  const line = document.createElementNS('http://www.w3.org/2000/svg', 'polyline');
  svg.append(line);
  chart.append(svg);
  row.append(label, price, change, chart);
  byId('prices').append(row);
  /** @type {number[]} */
  const values = [];
  /** @param {number} now */
  const show = (now) => {
    values.push(now);
    if (values.length > VALUES) values.shift();
    price.textContent = now.toFixed(2);
    const percent = (100 * (now - values[0])) / values[0];
    change.textContent = `${percent < 0 ? '▼' : '▲'} ${Math.abs(percent).toFixed(2)} %`;
    change.dataset.trend = percent < 0 ? 'down' : 'up';
    line.setAttribute('points', pointsOf(values, Math.min(...values), Math.max(...values)));
  };
  return { show };
}

/**
 * Counts ticks, and those that were missed: the gaps in their numbers.
 * @param {string} prefix of the ids of the places where they are shown
 */
function counter(prefix) {
  let got = 0;
  let missed = 0;
  let last = 0;
  return (/** @type {number} */ n) => {
    got++;
    // A daemon that was started again counts from 1.
    if (last > 0 && n > last) missed += n - last - 1;
    last = n;
    byId(`${prefix}got`).textContent = `${got}`;
    byId(`${prefix}missed`).textContent = `${missed}`;
  };
}

const connection = connect('/ticker');
const count = counter('');
followState(connection);
connection.on('tick', ({ n, prices }) => {
  count(Number(n));
  for (const [name, price] of Object.entries(/** @type {Record<string, number>} */ (prices))) {
    if (!rows.has(name)) rows.set(name, makeRow(name));
    rows.get(name)?.show(price);
  }
});

const button = /** @type {HTMLButtonElement} */ (byId('begin'));
async function begin() {
  button.disabled = true;
  const say = (/** @type {string} */ words) => (byId('slow-words').textContent = words);
  say(await readSlowly(counter('slow-'), say));
  button.disabled = false;
}
button.addEventListener('click', () => void begin());
