// Small pictures of the map, many in one request, and only those that are in view.

import { sheet } from "./api.js";

const SIDE = 96; // twice what the map draws, for screens of fine pixels
const ACROSS = 8;
const AT_ONCE = 48;
const KEPT = 1500;
const PAUSE = 120;
const AWAY = 3000;

export class Sheets {
  #cells = new Map(); #wanted = new Map(); #timer = null; #busy = false; #arrived;

  /** `arrived()` is called whenever pictures have come. */
  constructor(arrived) {
    this.#arrived = arrived;
  }

  /** Where the picture of an image is, `{sheet, x, y, side}`; null where there is none, undefined where it has not come. */
  get(image) {
    return this.#cells.get(image);
  }

  /** Say which images one part of the page wants now: those that it wanted before, and not any more, are not sent for. */
  want(part, images) {
    this.#wanted.set(part, images);
    if (images.length && !this.#busy) this.#soon(PAUSE);
  }

  /** Draw the picture of an image all over a canvas; false where it has not come. */
  paint(canvas, image) {
    const cell = this.#cells.get(image);
    if (cell) canvas.getContext("2d").drawImage(cell.sheet, cell.x, cell.y, cell.side, cell.side, 0, 0, canvas.width, canvas.height);
    return cell !== undefined;
  }

  #soon(pause) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#send(), pause);
  }

  async #send() {
    const wanted = new Set([...this.#wanted.values()].flat().filter((image) => !this.#cells.has(image)));
    const images = [...wanted].slice(0, AT_ONCE);
    if (!images.length || this.#busy) return;
    this.#busy = true;
    let pause = 0;
    try {
      const { content, absent } = await sheet(images, SIDE);
      const picture = await createImageBitmap(content);
      images.forEach((image, place) => this.#keep(image, absent.includes(place) ? null : {
        sheet: picture, x: (place % ACROSS) * SIDE, y: Math.floor(place / ACROSS) * SIDE, side: SIDE,
      }));
      this.#arrived();
    } catch {
      pause = AWAY; // the map has its dots meanwhile
    }
    this.#busy = false;
    this.#soon(pause);
  }

  #keep(image, cell) {
    this.#cells.set(image, cell);
    for (const oldest of this.#cells.keys()) {
      if (this.#cells.size <= KEPT) break;
      this.#cells.delete(oldest);
    }
  }
}
