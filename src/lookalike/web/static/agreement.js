// How often models agree with those who answer: asked of the server now and then, while somebody answers.

import { accuracy } from "./api.js";
import { make, percent } from "./make.js";

const PAUSE = 3000; // between two questions to the server
const FEW = 10; // answers below which a share says nothing

export class Agreement {
  #at; #annotator = ""; #timer = null; #asked = -Infinity; #drawn = "";

  /** `at.agreement` is a `details` element with `agreement_short`, `agreement_rows` and `agreement_note` in it. */
  constructor(at) {
    this.#at = at;
    document.addEventListener("visibilitychange", () => document.hidden || this.renew());
    at.agreement.open = matchMedia("(min-width: 1100px) and (min-height: 600px)").matches && remembered() !== "closed";
    at.agreement.addEventListener("toggle", () => remember(at.agreement.open ? "open" : "closed"));
  }

  begin(annotator) {
    if (annotator !== this.#annotator) this.#at.agreement.hidden = true;
    this.#annotator = annotator;
    this.#drawn = "";
    this.#asked = -Infinity;
    this.renew();
  }

  /** There may be something new: ask soon, but not all the time. */
  renew() {
    if (!this.#annotator || this.#timer !== null || document.hidden) return;
    const wait = Math.max(0, this.#asked + PAUSE - performance.now());
    this.#timer = setTimeout(() => this.#ask(), wait);
  }

  async #ask() {
    const annotator = this.#annotator;
    this.#asked = performance.now();
    try {
      const found = await accuracy(annotator);
      this.#timer = null;
      if (annotator === this.#annotator) this.#draw(found);
      if (!found.up_to_date) this.renew();
    } catch {
      this.#timer = null; // the outbox says that the server is away
    }
  }

  #draw(found) {
    const { models, own, everyone } = found;
    const text = JSON.stringify([models, own, everyone]);
    if (text === this.#drawn) return;
    this.#drawn = text;
    const counted = models.filter((one) => one.own.n || one.everyone.n);
    this.#at.agreement.hidden = !counted.length;
    const told = counted.filter((one) => one.own.n >= FEW).map((one) => `${one.name} ${percent(one.own.share, 0)}`);
    this.#at.agreement_short.textContent = told.length ? told.join(" · ") : "too early to say";
    this.#at.agreement_rows.replaceChildren(...counted.map(row));
    this.#at.agreement_note.textContent = note(models, counted);
  }
}

function row({ name, own, everyone }) {
  return make("tr", {}, make("th", { scope: "row", title: name }, name), cell(own), cell(everyone));
}

/** A share with its interval; of few answers, how many they were. */
function cell({ share, low, high, n }) {
  if (!n) return make("td", {}, "–");
  if (n < FEW) return make("td", {}, `${Number((share * n).toFixed(1))} of ${n}`);
  const range = low === null ? "" : `${Math.round(100 * low)}–${Math.round(100 * high)}%`;
  return make("td", { title: `${range ? `95% interval ${range}, ` : ""}${n.toLocaleString("en")} answers` },
    make("b", {}, percent(share, 0)), make("span", {}, range));
}

/** What does not count, and who cannot be asked. */
function note(models, counted) {
  const told = counted.filter((one) => one.told).map((one) => one.name);
  const silent = models.filter((one) => !counted.includes(one)).map((one) => one.name);
  return [
    told.length ? `Answers that ${told.join(", ")} learned from do not count.` : "",
    silent.length ? `Nothing to say yet: ${silent.join(", ")}.` : "",
  ].filter(Boolean).join(" ");
}

function remember(state) {
  try {
    localStorage.setItem("lookalike.agreement", state);
  } catch { /* it opens as it likes, then */ }
}

function remembered() {
  try {
    return localStorage.getItem("lookalike.agreement");
  } catch {
    return null;
  }
}
