import { expect, test } from '@jest/globals';
import { History, KEPT, MOST } from '../../src/console/history.js';
import { RoundTrips, tripText } from '../../src/console/roundtrips.js';

test('the last 1,000 frames are kept, however many there were', () => {
  const history = new History();
  expect(MOST).toBe(1000);
  for (let n = 0; n < 2500; n++) history.add('in', `${n}`);
  const kept = [...history.since(0)].map(({ data }) => data);
  expect(kept).toEqual(Array.from({ length: 1000 }, (_, index) => String(1500 + index)));
  expect([history.first, history.next, history.get(1499), history.get(1500)?.data]).toEqual([
    1500,
    2500,
    undefined,
    '1500',
  ]);
  expect([...history.since(2499)].map(({ seq }) => seq)).toEqual([2499]);
});

test('after a clear the numbers go on, and nothing of before is there', () => {
  const history = new History(3);
  for (const text of ['a', 'b', 'c', 'd']) history.add('in', text);
  history.clear();
  expect([...history.since(0)]).toEqual([]);
  history.add('out', 'e');
  expect([history.first, [...history.since(0)].map(({ data }) => data)]).toEqual([4, ['e']]);
  for (const text of ['f', 'g', 'h']) history.add('in', text);
  expect([...history.since(0)].map(({ data }) => data)).toEqual(['f', 'g', 'h']);
});

test('of a long frame the beginning is kept, and its size in bytes', () => {
  const history = new History();
  history.add('in', 'ü'.repeat(KEPT + 1), { at: 5, session: true });
  history.add('in', new Uint8Array(KEPT + 1));
  history.add('in', 'ü');
  const [text, binary, short] = [...history.since(0)];
  expect(text).toMatchObject({ size: 2 * (KEPT + 1), cut: true, at: 5, session: true });
  expect([text.data.length, binary.data.length, binary.size, binary.cut]).toEqual([KEPT, KEPT, KEPT + 1, true]);
  expect(short).toMatchObject({ data: 'ü', size: 2, cut: false, session: false });
});

test('with numbers, a next is of the message that it names', () => {
  const trips = new RoundTrips();
  trips.sent(1, 100);
  trips.sent(2, 110);
  expect(trips.answered(2, 115)).toBe(5);
  expect(trips.answered(1, 130)).toBe(30);
  expect(trips.answered(1, 140)).toBeNull();
  expect(trips.summary()).toEqual({ last: 30, median: 5, most: 30 });
});

test('without numbers, in the order of the messages', () => {
  const trips = new RoundTrips();
  trips.sent(null, 100);
  trips.sent(null, 110);
  expect([trips.answered(null, 120), trips.answered(null, 150), trips.answered(null, 160)]).toEqual([20, 40, null]);
});

test('what is sent again is measured from then, and what was lost not at all', () => {
  const trips = new RoundTrips();
  trips.sent(1, 100);
  trips.sent(1, 200);
  expect(trips.answered(1, 205)).toBe(5);
  trips.sent(2, 300);
  trips.lost();
  expect(trips.answered(2, 400)).toBeNull();
});

test('bounded: the last 120 are shown, and 1,000 wait', () => {
  const trips = new RoundTrips();
  for (let id = 0; id < 1500; id++) trips.sent(id, 0);
  expect(trips.answered(499, 1)).toBeNull();
  for (let id = 500; id < 1500; id++) expect(trips.answered(id, id)).toBe(id);
  expect([trips.times.length, trips.times[0], trips.count]).toEqual([120, 1380, 1000]);
});

test('in words', () => {
  expect([0, 0.256, 1.04, 9.96, 99.6, 1234].map(tripText)).toEqual([
    '0 ms',
    '0.26 ms',
    '1 ms',
    '10 ms',
    '100 ms',
    '1.2 s',
  ]);
});
