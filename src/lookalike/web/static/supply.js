// Questions ahead of the one on show, with their pictures loaded, so that the next one is there at once.

import { labelPicture, questions, thumbnail } from "./api.js";

const AHEAD = 10;
const PAUSE = 2000;

export class Supply {
  #annotator; #candidates; #ready = []; #known = new Set(); #asking = null; #over = false; #trouble = null; #closed = false;

  /** `candidates`: 2 or 3. */
  constructor(annotator, candidates) {
    this.#annotator = annotator;
    this.#candidates = candidates;
  }

  /** What went wrong last, while nothing is ready; null where all is well. */
  get trouble() {
    return this.#trouble;
  }

  /** Take no more from the server. */
  close() {
    this.#closed = true;
  }

  /** The next question with its pictures at hand, at once; null where none is ready. */
  take() {
    const first = this.#ready[0]?.complete() ? this.#ready.shift() : null;
    this.#refill();
    // What comes next is decoded while people look at this one.
    this.#ready[0]?.decode();
    return first;
  }

  /** Resolves to the next question, or null where there are no more; waits as long as it takes. */
  async wait(told) {
    while (!this.#closed) {
      const taken = this.take();
      if (taken) return taken;
      if (this.#ready.length) await this.#ready[0].loaded();
      else if (this.#over) return null;
      else {
        await this.#refill();
        if (this.#trouble) {
          told(this.#trouble);
          await new Promise((resolve) => setTimeout(resolve, PAUSE));
        }
      }
      if (this.#ready[0]?.broken) this.#ready.shift();
    }
    return null;
  }

  /** Put a question back in front: it is the next one again. */
  giveBack(prepared) {
    this.#ready.unshift(prepared);
  }

  #refill() {
    if (this.#closed || this.#over || this.#ready.length >= AHEAD) return this.#asking;
    this.#asking ??= this.#ask().finally(() => (this.#asking = null));
    return this.#asking;
  }

  async #ask() {
    try {
      const found = await questions(this.#annotator, AHEAD, this.#candidates);
      const fresh = found.questions.filter((question) => !this.#known.has(key(question)));
      fresh.forEach((question) => this.#known.add(key(question)));
      this.#ready.push(...fresh.map((question) => new Prepared(question)));
      this.#over = fresh.length === 0;
      this.#trouble = null;
    } catch (error) {
      this.#trouble = error;
    }
  }
}

class Prepared {
  constructor(question) {
    this.question = question;
    this.pictures = [question.reference, ...question.candidates].map(picture);
    this.broken = false;
    this.all = Promise.all(this.pictures.map(arrived)).catch(() => (this.broken = true));
  }

  complete() {
    return !this.broken && this.pictures.every((image) => image.complete && image.naturalWidth);
  }

  loaded() {
    return this.all;
  }

  decode() {
    return Promise.all(this.pictures.map((image) => image.decode())).catch(() => {});
  }
}

const key = ({ reference, candidates, trial }) => JSON.stringify([reference, [...candidates].sort(), trial]);

function picture(name) {
  const image = new Image();
  image.alt = "";
  image.draggable = false;
  image.dataset.image = name;
  image.src = labelPicture(name);
  return image;
}

/** Resolves when a picture is there; a lost network is waited for, a picture that is gone is not. */
async function arrived(image) {
  for (;;) {
    try {
      await image.decode();
      image.style.setProperty("--shape", image.naturalWidth / image.naturalHeight);
      return;
    } catch {
      const name = image.dataset.image;
      const there = await fetch(thumbnail(name)).catch(() => null);
      if (there && !there.ok) throw new Error(name);
      if (there) await new Promise((resolve) => setTimeout(resolve, 100));
      else await new Promise((resolve) => setTimeout(resolve, PAUSE));
      image.src = there ? thumbnail(name) : labelPicture(name);
    }
  }
}
