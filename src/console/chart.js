import uPlot from './uplot.js';
import { tripText } from './roundtrips.js';

/** So many have room, however few there are. */
const FEWEST = 20;
const dark = matchMedia('(prefers-color-scheme: dark)');

/** The last round trips, as a line. */
export class TripChart {
  /** @type {uPlot | null} */
  plot = null;
  /** @type {[number[], number[]]} */
  data = [[], []];

  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.make = () => {
      this.plot?.destroy();
      this.plot = new uPlot(optionsFor(root), this.data, root);
    };
    dark.addEventListener('change', this.make);
    // For the first time when it is in the page: before, it has neither size nor colours.
    this.resized = new ResizeObserver(() => (this.plot === null ? this.make() : this.plot.setSize(sizeOf(root))));
    this.resized.observe(root);
  }

  /** @param {readonly number[]} times in milliseconds. @param {number} count how many there have been. */
  update(times, count) {
    this.data = [times.map((_, index) => count - times.length + index), [...times]];
    this.plot?.setData(this.data);
  }

  remove() {
    dark.removeEventListener('change', this.make);
    this.resized.disconnect();
    this.plot?.destroy();
  }
}

/** @param {HTMLElement} root */
function sizeOf({ clientWidth, clientHeight }) {
  return { width: Math.max(clientWidth, 40), height: Math.max(clientHeight, 40) };
}

/** @param {HTMLElement} root @returns {uPlot.Options} */
function optionsFor(root) {
  const style = getComputedStyle(root);
  const color = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  return {
    ...sizeOf(root),
    padding: [8, 4, 4, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false, range: (_, first, last) => [first ?? 0, Math.max(last ?? 0, (first ?? 0) + FEWEST)] },
      y: { range: (_, __, most) => [0, Math.max(most ?? 0, 0.5) * 1.2] },
    },
    axes: [
      { show: false },
      {
        size: 48,
        gap: 4,
        space: 22,
        font: `11px ${style.fontFamily}`,
        stroke: color('--muted'),
        grid: { stroke: color('--line'), width: 1 },
        ticks: { show: false },
        values: ({ data }, values) =>
          values.map((value) => (data[0].length === 0 ? '' : value === 0 ? '0' : tripText(value))),
      },
    ],
    series: [
      {},
      { stroke: color('--accent'), width: 1.75, fill: `${color('--accent')}22`, points: { size: 4, space: 8 } },
    ],
  };
}
