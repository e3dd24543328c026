// How many answers, how fast, and how far until the next round number.

const ROUND = [10, 25, 50, 100, 200, 300, 400, 500, 750];
const LATEST = 50;

export class Tally {
  #at; #annotator; #seconds = []; #pace = null;
  answers = 0;

  constructor(at, annotator) {
    this.#at = at;
    this.#annotator = annotator;
    this.#draw();
  }

  add(seconds) {
    this.answers += 1;
    this.#seconds.push(seconds);
    this.#draw();
  }

  takeBack() {
    this.answers -= 1;
    this.#seconds.pop();
    this.#draw();
  }

  /** Take over what the server counts. */
  renew(found) {
    this.answers = found.answers;
    this.#pace = found.seconds_per_answer;
    this.#draw();
  }

  #draw() {
    const goal = ROUND.find((round) => round > this.answers) ?? (Math.floor(this.answers / 1000) + 1) * 1000;
    const told = this.#seconds.filter((seconds) => seconds !== null).slice(-LATEST);
    const pace = told.length >= 5 ? median(told) : this.#pace;
    const speed = pace === null ? "" : ` · ${pace.toFixed(1)} s each`;
    this.#at.tally.textContent = `${this.answers.toLocaleString("en")} of ${goal.toLocaleString("en")}${speed} · ${this.#annotator}`;
    this.#at.meter.max = goal;
    this.#at.meter.value = this.answers;
  }
}

/** The standing of an annotator as pairs of a list of terms. */
export function figures(found) {
  const pairs = [
    ["Your answers", found.answers.toLocaleString("en")],
    ["Skipped", found.skipped.toLocaleString("en")],
    ["Seconds each", found.seconds_per_answer?.toFixed(1)],
    ["Same answer when asked again", alike(found.repeated)],
    ["Same answer with sides exchanged", alike(found.flipped)],
    ["Judgments by everyone", found.everyone.toLocaleString("en")],
  ];
  return pairs.filter(([, value]) => value !== undefined).map(([term, value]) => {
    const group = document.createElement("div");
    const [name, figure] = [document.createElement("dt"), document.createElement("dd")];
    name.textContent = term;
    figure.textContent = value;
    group.append(name, figure);
    return group;
  });
}

const alike = ({ share, n }) =>
  n ? (n < 10 ? `${Math.round(share * n)} of ${n}` : `${Math.round(share * 100)}% of ${n}`) : undefined;

function median(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
