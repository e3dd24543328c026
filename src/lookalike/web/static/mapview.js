// The map on its canvas: where one looks, what is drawn, and what is under the pointer.

import { Sheets } from "./mapsheets.js";

const SIDE = 46; // of a picture on the map
const REACH = 14;
const DEEPEST = 400;

export class MapView {
  #canvas; #draws = 0; #order;
  scale = 1; centre = [0, 0]; colours = []; selected = new Set(); pictures = true; outline = null;

  /** `changed()` is called when another part is in view. */
  constructor(canvas, { images, x, y, judged }, changed) {
    this.#canvas = canvas;
    Object.assign(this, { images, x, y, judged, changed });
    this.sheets = new Sheets(() => this.draw());
    // In an order that has nothing to do with places, and is always the same: who has a picture where there is no room for all.
    this.#order = images.map((_, place) => place).sort((a, b) => Number(judged[b]) - Number(judged[a]) || ((a * 7919) % 10007) - ((b * 7919) % 10007));
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  #size() {
    return [this.#canvas.clientWidth, this.#canvas.clientHeight];
  }

  #unit() {
    const [width, height] = this.#size();
    return (Math.min(width, height) / 2) * 0.92 * this.scale;
  }

  /** Where a place is on the canvas, in CSS pixels. */
  spot(place) {
    const [width, height] = this.#size();
    const unit = this.#unit();
    return [width / 2 + (this.x[place] - this.centre[0]) * unit, height / 2 - (this.y[place] - this.centre[1]) * unit];
  }

  zoom(factor, [x, y] = this.#size().map((one) => one / 2)) {
    const [width, height] = this.#size();
    const before = this.#unit();
    this.scale = Math.min(DEEPEST, Math.max(0.6, this.scale * factor));
    const after = this.#unit();
    this.centre[0] += (x - width / 2) * (1 / before - 1 / after);
    this.centre[1] -= (y - height / 2) * (1 / before - 1 / after);
    this.draw();
  }

  pan(dx, dy) {
    const unit = this.#unit();
    this.centre[0] = Math.min(1.2, Math.max(-1.2, this.centre[0] - dx / unit));
    this.centre[1] = Math.min(1.2, Math.max(-1.2, this.centre[1] + dy / unit));
    this.draw();
  }

  fit() {
    this.scale = 1;
    this.centre = [0, 0];
    this.draw();
  }

  /** The places in view, those near the middle first. */
  inView() {
    const [width, height] = this.#size();
    const found = [];
    for (let place = 0; place < this.images.length; place += 1) {
      const [x, y] = this.spot(place);
      if (x >= 0 && y >= 0 && x <= width && y <= height) found.push([place, (x - width / 2) ** 2 + (y - height / 2) ** 2]);
    }
    return found.sort((a, b) => a[1] - b[1]).map(([place]) => place);
  }

  /** The place nearest to a point of the canvas, or null where none is near. */
  nearest(x, y) {
    let [best, least] = [null, REACH ** 2];
    for (let place = 0; place < this.images.length; place += 1) {
      const [u, v] = this.spot(place);
      const far = (u - x) ** 2 + (v - y) ** 2;
      if (far < least) [best, least] = [place, far];
    }
    return best;
  }

  /** The places inside an outline of points of the canvas. */
  inside(outline) {
    return this.images.map((_, place) => place).filter((place) => contains(outline, this.spot(place)));
  }

  draw() {
    if (this.#draws) return;
    this.#draws = requestAnimationFrame(() => {
      this.#draws = 0;
      this.#paint();
      this.changed();
    });
  }

  #paint() {
    const [width, height] = this.#size();
    if (!width) return;
    const ratio = devicePixelRatio || 1;
    if (this.#canvas.width !== Math.round(width * ratio) || this.#canvas.height !== Math.round(height * ratio)) {
      [this.#canvas.width, this.#canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    }
    const pen = this.#canvas.getContext("2d");
    const style = getComputedStyle(this.#canvas);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const spots = this.images.map((_, place) => this.spot(place));
    const within = spots.map(([x, y]) => x > -SIDE && y > -SIDE && x < width + SIDE && y < height + SIDE);
    const shown = this.pictures ? this.#roomy(spots, within) : new Map();
    const radius = Math.min(7, 2.6 + Math.log2(1 + this.scale));
    for (const chosen of [false, true]) {
      pen.globalAlpha = this.selected.size && !chosen ? 0.35 : 0.9;
      const dots = this.#dots(spots, (place) => within[place] && !shown.has(place) && this.selected.has(place) === chosen, chosen ? radius + 1.5 : radius);
      for (const [colour, path] of dots) {
        pen.fillStyle = colour;
        pen.fill(path);
        if (chosen) ring(pen, style.color, 1.5, path);
      }
    }
    for (const [place, picture] of shown) this.#picture(pen, style, place, picture, spots[place]);
    pen.globalAlpha = 1;
    if (this.outline) drawOutline(pen, this.outline, style.accentColor);
  }

  /** One path for all dots of a colour: thousands of small ones would be slow. */
  #dots(spots, wanted, radius) {
    const paths = new Map();
    for (let place = 0; place < spots.length; place += 1) {
      if (!wanted(place)) continue;
      if (!paths.has(this.colours[place])) paths.set(this.colours[place], new Path2D());
      const [x, y] = spots[place];
      const path = paths.get(this.colours[place]);
      path.moveTo(x + radius, y);
      path.arc(x, y, radius, 0, 7);
    }
    return paths;
  }

  #picture(pen, style, place, picture, [x, y]) {
    const chosen = this.selected.has(place);
    pen.globalAlpha = this.selected.size && !chosen ? 0.45 : 1;
    const [left, top] = [x - SIDE / 2, y - SIDE / 2];
    pen.beginPath();
    pen.roundRect(left - 2.5, top - 2.5, SIDE + 5, SIDE + 5, 7);
    pen.fillStyle = this.colours[place];
    pen.fill();
    if (chosen) ring(pen, style.color, 2);
    pen.save();
    pen.beginPath();
    pen.roundRect(left, top, SIDE, SIDE, 5);
    pen.clip();
    pen.drawImage(picture.sheet, picture.x, picture.y, picture.side, picture.side, left, top, SIDE, SIDE);
    pen.restore();
  }

  /** Which places have room for a picture, with the picture; those that have not come yet are sent for. */
  #roomy(spots, within) {
    const taken = new Map();
    const cell = SIDE + 10;
    const free = (x, y) => {
      const [column, row] = [Math.floor(x / cell), Math.floor(y / cell)];
      for (let i = column - 1; i <= column + 1; i += 1) {
        for (let j = row - 1; j <= row + 1; j += 1) {
          for (const [u, v] of taken.get(4096 * i + j) ?? []) if (Math.abs(u - x) < cell && Math.abs(v - y) < cell) return false;
        }
      }
      const key = 4096 * column + row;
      if (!taken.has(key)) taken.set(key, []);
      taken.get(key).push([x, y]);
      return true;
    };
    const [shown, wanted] = [new Map(), []];
    for (const place of this.#order) {
      if (!within[place] || !free(...spots[place])) continue;
      const picture = this.sheets.get(this.images[place]);
      if (picture) shown.set(place, picture);
      else if (picture === undefined) wanted.push(this.images[place]);
    }
    this.sheets.want("map", wanted);
    return shown;
  }
}

function ring(pen, colour, width, path = null) {
  pen.lineWidth = width;
  pen.strokeStyle = colour;
  if (path) pen.stroke(path);
  else pen.stroke();
}

function drawOutline(pen, outline, colour) {
  pen.beginPath();
  outline.forEach(([x, y], number) => (number ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  pen.closePath();
  pen.fillStyle = colour;
  pen.globalAlpha = 0.12;
  pen.fill();
  pen.globalAlpha = 1;
  pen.setLineDash([6, 5]);
  ring(pen, colour, 2);
  pen.setLineDash([]);
}

/** Whether a point is inside an outline: a ray from it crosses the outline an odd number of times. */
function contains(outline, [x, y]) {
  let inside = false;
  for (let i = 0, j = outline.length - 1; i < outline.length; j = i, i += 1) {
    const [[u, v], [p, q]] = [outline[i], outline[j]];
    if (v > y !== q > y && x < ((p - u) * (y - v)) / (q - v) + u) inside = !inside;
  }
  return inside;
}
