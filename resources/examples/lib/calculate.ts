/** Parentheses and signs within each other. */
const DEEPEST = 50;

/** What a sum is made of: a number, or any other character. */
const TOKEN = /(\d+(?:\.\d+)?|\.\d+)|(\S)/gu;

/**
 * The value of a sum with `+ - * /`, signs and parentheses: `2+3*4` is 14.
 * @returns rounded to 12 digits, so that 0.1+0.2 is 0.3.
 * @throws Error that says what is wrong with it.
 */
export function calculate(text: string): number {
  const sum = new Sum(text);
  const value = sum.whole();
  if (!Number.isFinite(value)) throw new Error('the result is too large');
  return Number(value.toPrecision(12));
}

/** A sum being read from left to right: each method reads what its grammar line says, and is its value. */
class Sum {
  private readonly tokens: (number | string)[] = [];
  private at = 0;
  private depth = 0;

  constructor(text: string) {
    for (const [, digits, sign] of text.matchAll(TOKEN)) {
      this.tokens.push(digits === undefined ? sign : Number(digits));
    }
  }

  /** whole = terms, and nothing behind it */
  whole(): number {
    const value = this.terms();
    if (this.at < this.tokens.length) throw new Error(`I did not expect ${this.tokens[this.at]}`);
    return value;
  }

  /** terms = factors { ("+" | "-") factors } */
  private terms(): number {
    let value = this.factors();
    for (;;) {
      if (this.take('+')) value += this.factors();
      else if (this.take('-')) value -= this.factors();
      else return value;
    }
  }

  /** factors = operand { ("*" | "/") operand } */
  private factors(): number {
    let value = this.operand();
    for (;;) {
      if (this.take('*')) value *= this.operand();
      else if (this.take('/')) value = divide(value, this.operand());
      else return value;
    }
  }

  /** operand = number | ("+" | "-") operand | "(" terms ")" */
  private operand(): number {
    const token = this.tokens[this.at++];
    if (typeof token === 'number') return token;
    if (token === undefined) throw new Error('a number is missing at the end');
    if (++this.depth > DEEPEST) throw new Error(`it goes deeper than ${DEEPEST} parentheses and signs`);
    const value = this.nested(token);
    this.depth--;
    return value;
  }

  private nested(token: string): number {
    if (token === '-') return -this.operand();
    if (token === '+') return this.operand();
    if (token !== '(') throw new Error(`I expected a number, not ${token}`);
    const value = this.terms();
    if (!this.take(')')) throw new Error('a ) is missing');
    return value;
  }

  private take(token: string): boolean {
    if (this.tokens[this.at] !== token) return false;
    this.at++;
    return true;
  }
}

function divide(value: number, by: number): number {
  if (by === 0) throw new Error('nothing can be divided by zero');
  return value / by;
}
