// A grid of pictures: tiles, their layout, and the arrow keys.

import { thumbnail } from "./api.js";
import { justified } from "./rows.js";

const shapes = new WeakMap();

/**
 * Make tiles for `{image, distance?}`; resolves once every picture has its shape, so that nothing jumps.
 *
 * Each has buttons for what is given: `choose("like" | "unlike", image)`, `why(image)`, also by the key W, and
 * `mark(entry)`, also by the key X, which selects.
 */
export function tiles(entries, acts = {}) {
  return Promise.all(entries.map((entry) => tile(entry, acts)));
}

/** Show which tiles of a grid are selected. */
export function marked(list, has) {
  list.querySelectorAll(".choice.mark").forEach((made) => {
    const chosen = has(made.dataset.image);
    made.setAttribute("aria-pressed", chosen);
    made.parentElement.classList.toggle("marked", chosen);
  });
}

/** Keep a grid justified, whatever comes into it and however wide it is; let the arrow keys walk through it. */
export function grid(list) {
  const layOut = () => {
    const items = [...list.children];
    const { rowGap, columnGap, gridAutoRows } = getComputedStyle(list);
    const wished = items.map((item) => shapes.get(item) ?? 1);
    // Half a pixel less, so that rounding never pushes the last one into the next row.
    const sizes = justified(wished, list.clientWidth - 0.5, parseFloat(gridAutoRows), parseFloat(columnGap || rowGap));
    items.forEach((item, number) => {
      item.style.width = `${sizes[number].width}px`;
      item.querySelector("img").style.height = `${sizes[number].height}px`;
    });
  };
  new ResizeObserver(layOut).observe(list);
  new MutationObserver(layOut).observe(list, { childList: true });
  list.addEventListener("keydown", walk);
}

async function tile(entry, { choose, why, mark }) {
  const { image, distance } = entry;
  const item = document.createElement("li");
  const link = document.createElement("a");
  const picture = document.createElement("img");
  const caption = document.createElement("span");
  link.href = `/?${new URLSearchParams({ image })}`;
  link.title = image;
  link.dataset.image = image;
  link.draggable = picture.draggable = false;
  picture.alt = "";
  picture.src = thumbnail(image);
  caption.className = "caption";
  const [file, folder] = image.split("/").reverse();
  const name = named("name", "");
  // Cameras count from 0001 in every folder: where there is room, its name tells them apart.
  name.append(...(folder === undefined ? [] : [named("folder", `${folder}/`)]), named("file", file));
  caption.append(name);
  if (distance !== undefined) {
    caption.append(named("quiet", ", distance "), named("distance", distance.toFixed(3)));
  }
  link.append(picture, caption);
  item.append(link);
  if (mark) {
    const made = button("mark", "", `Select ${image}`, () => mark(entry));
    made.dataset.image = image;
    made.setAttribute("aria-pressed", "false");
    made.setAttribute("aria-keyshortcuts", "X");
    item.append(made);
  }
  if (why) item.append(button("why", "?", `Why ${image}`, () => why(image)));
  if (choose) {
    item.append(button("like", "+", `Like ${image}, too`, () => choose("like", image)));
    item.append(button("unlike", "\u2212", `Not like ${image}`, () => choose("unlike", image)));
  }
  // A thumbnail that does not come (its image was removed just now) leaves an empty square.
  await picture.decode().catch(() => {});
  if (picture.naturalWidth) shapes.set(item, picture.naturalWidth / picture.naturalHeight);
  return item;
}

function button(way, sign, says, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = `choice ${way}`;
  made.textContent = sign;
  made.title = says;
  made.setAttribute("aria-label", says);
  made.addEventListener("click", act);
  return made;
}

function named(name, text) {
  const part = document.createElement("span");
  part.className = name;
  part.textContent = text;
  return part;
}

const KEYS = { x: ".choice.mark", w: ".choice.why" };

function walk(event) {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const act = KEYS[event.key.toLowerCase()];
  if (act) event.target.closest("li")?.querySelector(act)?.click();
  const links = [...event.currentTarget.querySelectorAll("a")];
  const next = target(event.key, links, links.indexOf(document.activeElement));
  if (!next) return;
  event.preventDefault();
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

function target(key, links, at) {
  if (at < 0) return null;
  switch (key) {
    case "ArrowRight": return links[at + 1];
    case "ArrowLeft": return links[at - 1];
    case "Home": return links[0];
    case "End": return links.at(-1);
    case "ArrowDown": return nearest(links.slice(at + 1), links[at]);
    case "ArrowUp": return nearest(links.slice(0, at).reverse(), links[at]);
    default: return null;
  }
}

/** Of the first other row among `links`, the one whose middle is nearest. */
function nearest(links, from) {
  const { top, left, width } = from.getBoundingClientRect();
  const boxes = links.map((link) => ({ link, box: link.getBoundingClientRect() }));
  const row = boxes.find(({ box }) => Math.abs(box.top - top) > 4)?.box.top;
  const off = ({ box }) => Math.abs(box.left + box.width / 2 - (left + width / 2));
  const beside = boxes.filter(({ box }) => Math.abs(box.top - row) <= 4);
  return beside.sort((a, b) => off(a) - off(b))[0]?.link;
}
