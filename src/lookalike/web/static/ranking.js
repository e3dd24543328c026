// Three candidates: first their order, closest first, then a grade for each, which never goes down.

const ORDINALS = ["closest", "second", "third"];

export class Ranking {
  order = []; // places of candidates, closest first
  grades = []; // of the order

  /** What to ask now. */
  get prompt() {
    if (!this.ordered) return this.order.length ? "Which comes next?" : "Which looks most like this?";
    return `How alike is the ${ORDINALS[this.grades.length] ?? ORDINALS[2]} one?`;
  }

  get ordered() {
    return this.order.length === 3;
  }

  get done() {
    return this.grades.length === 3;
  }

  /** The candidate that is being graded; -1 while there is none. */
  get graded() {
    return this.ordered && !this.done ? this.order[this.grades.length] : -1;
  }

  /** The lowest grade that can still be given. */
  get least() {
    return this.grades.at(-1) ?? 1;
  }

  /** Choose the next closest candidate; the last one is no choice. */
  choose(place) {
    if (this.ordered || this.order.includes(place)) return false;
    this.order.push(place);
    if (this.order.length === 2) this.order.push([0, 1, 2].find((other) => !this.order.includes(other)));
    return true;
  }

  grade(value) {
    if (!this.ordered || this.done || value < this.least || value > 5) return false;
    this.grades.push(value);
    return true;
  }

  /** Take the last step back; false where there was none. */
  back() {
    if (this.grades.length) this.grades.pop();
    else if (this.ordered) this.order.length = 1;
    else return this.order.pop() !== undefined;
    return true;
  }
}
