// The page that compares: a reference, two candidates, and what each model says. Paths are in the address.

import * as api from "./api.js";
import { percent } from "./by.js";
import { copied } from "./clipboard.js";
import { intake } from "./intake.js";

const NAMES = ["r", "a", "b"];
const LARGEST = 64 * 2 ** 20;
const SUGGESTED = 20;

const at = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));
const slot = (name) => document.querySelector(`[data-slot="${name}"]`);
const held = { r: null, a: null, b: null }; // a File, or the path of an image of the collection
let running = new AbortController();

function put(name, image) {
  held[name] = image;
  const paths = NAMES.filter((each) => typeof held[each] === "string");
  history.replaceState(null, "", paths.length ? `/compare?${new URLSearchParams(paths.map((each) => [each, held[each]]))}` : "/compare");
  at.share.hidden = paths.length < NAMES.length;
  at.share.textContent = "Copy link";
  show(name);
}

function show(name) {
  const [picture, image] = [at[`${name}image`], held[name]];
  if (picture.src.startsWith("blob:")) URL.revokeObjectURL(picture.src);
  const stored = typeof image === "string";
  at[`${name}unseen`].hidden = true;
  at[`${name}hint`].hidden = image !== null;
  picture.hidden = image === null;
  if (image !== null) picture.src = stored ? api.picture(image) : URL.createObjectURL(image);
  at[`${name}name`].textContent = image === null ? "" : stored ? image : image.name || "pasted picture";
  at[`${name}path`].value = stored ? image : "";
}

async function ask() {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  refuse("");
  NAMES.forEach((name) => slot(name).classList.remove("closer"));
  if (NAMES.some((name) => held[name] === null)) {
    at.answer.hidden = true;
    return;
  }
  document.body.classList.add("busy");
  at.status.textContent = "Comparing";
  try {
    const { verdicts } = await api.compare(held, signal);
    if (!signal.aborted) tell(verdicts);
  } catch (error) {
    if (signal.aborted) return;
    at.answer.hidden = true;
    refuse(error.message);
  } finally {
    if (!signal.aborted) {
      document.body.classList.remove("busy");
      at.status.textContent = "";
    }
  }
}

function tell(verdicts) {
  const able = verdicts.filter((one) => one.trouble === undefined);
  const [encoder, ...others] = able;
  // The one that has agreed with people most; where none was measured, an ensemble; else the encoder.
  const best = others.sort((one, other) => weight(other) - weight(one)).find((one) => weight(one) > 0) ?? encoder;
  const sure = best.closer === "a" ? best.probability_a : 1 - best.probability_a;
  at.verdict.textContent = `${best.closer.toUpperCase()} is closer, with probability ${certain(sure)}, by ${short(best.by)}`;
  slot(best.closer).classList.add("closer");
  at.rows.replaceChildren(...verdicts.map(row));
  at.answer.hidden = false;
}

const weight = ({ accuracy, kind }) => accuracy ?? (kind === "ensemble" ? 0.01 : 0);
/** Nobody can be quite sure. */
const certain = (share) => (share > 0.995 ? "over 99%" : percent(share));
const short = (name) => name.split("/").at(-1);

function row({ by, kind, accuracy, closer, probability_a: probability, distance_a: toA, distance_b: toB, trouble }) {
  const made = document.createElement("tr");
  const head = element("th", short(by));
  head.scope = "row";
  head.title = by;
  head.append(element("small", accuracy === undefined ? kind : `${kind} \u00b7 ${percent(accuracy)}`));
  made.append(head);
  if (trouble !== undefined) {
    const cell = element("td", trouble);
    cell.colSpan = 3;
    made.append(cell);
    return made;
  }
  const share = closer === "a" ? probability : 1 - probability;
  const cell = element("td", `${closer.toUpperCase()} ${certain(share)}`);
  const bar = element("span");
  const fill = element("i");
  // From the middle towards the closer one.
  fill.style.width = `${Math.max(0.5, 100 * Math.abs(probability - 0.5))}%`;
  fill.style[closer === "a" ? "right" : "left"] = "50%";
  bar.append(fill);
  cell.className = `lean ${closer}`;
  cell.append(bar);
  made.append(cell, element("td", toA.toFixed(3)), element("td", toB.toFixed(3)));
  return made;
}

function element(name, text = "") {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function refuse(reason) {
  at.alert.textContent = reason;
  at.alert.hidden = !reason;
}

/** Into the slot where it came in, or else into the first that is empty. */
function take(file, where) {
  if (file.size > LARGEST) return refuse("That file is larger than 64 MB.");
  put(where.closest?.("[data-slot]")?.dataset.slot ?? NAMES.find((name) => held[name] === null) ?? "r", file);
  return ask();
}

/** Offer paths that begin with what was typed. */
async function suggest(name) {
  const typed = at[`${name}path`].value.trim();
  const before = typed.slice(0, -1); // the list begins after this one
  const { images } = await api.images(before, 200).catch(() => ({ images: [] }));
  const fitting = images.filter((image) => image.startsWith(typed)).slice(0, SUGGESTED);
  at[`${name}paths`].replaceChildren(...fitting.map((image) => Object.assign(document.createElement("option"), { value: image })));
}

NAMES.forEach((name) => {
  at[`${name}image`].addEventListener("error", () => {
    at[`${name}image`].hidden = true;
    at[`${name}unseen`].hidden = held[name] === null;
  });
  at[`${name}path`].addEventListener("input", () => suggest(name));
  at[`${name}path`].addEventListener("change", (event) => {
    const path = event.target.value.trim();
    if (path === held[name] || (!path && held[name] instanceof Blob)) return;
    put(name, path || null);
    ask();
  });
});
at.swap.addEventListener("click", () => {
  const { a, b } = held;
  put("a", b);
  put("b", a);
  ask();
});
at.share.addEventListener("click", async () => {
  at.share.textContent = (await copied(location.href)) ? "Link copied" : "Copy it from the address bar";
});

intake({ inputs: [at.rfile, at.afile, at.bfile], veil: at.veil, take, refuse });
const address = new URLSearchParams(location.search);
NAMES.forEach((name) => address.get(name) && put(name, address.get(name)));
NAMES.forEach(show);
ask();
api.health().then(({ images, encoder }) => {
  at.served.textContent = `${images.toLocaleString("en")} ${images === 1 ? "image" : "images"} \u00b7 ${short(encoder)}`;
}, () => {});
