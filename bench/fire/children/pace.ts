/**
 * Gives each of `all` its turn once in `interval` milliseconds, one after the other and evenly; who joins has it in the next round. With a timer each they
 * would come to act all at once: timers that a busy machine has made late together stay together.
 */
export function pace<One>(all: ReadonlySet<One>, interval: number, act: (one: One) => void): void {
  let round: One[] = [];
  let at = 0;
  let due = performance.now();
  setInterval(() => {
    const now = performance.now();
    while (due <= now) {
      if (at === round.length) [round, at] = [[...all], 0];
      if (round.length === 0) due = now + 1;
      else {
        const one = round[at++];
        if (one !== undefined && all.has(one)) act(one);
        due += interval / round.length;
      }
    }
  }, 1);
}
