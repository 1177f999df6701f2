/** Actions that may ask for more of their kind: those wait for their turn, so that none runs inside another. */
export class InTurn {
  private readonly waiting: (() => void)[] = [];
  private running = false;

  /** Runs `action` now, or when those before it are done. It must not throw. */
  run(action: () => void): void {
    if (this.running) {
      this.waiting.push(action);
      return;
    }
    this.running = true;
    action();
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) next();
    this.running = false;
  }
}
