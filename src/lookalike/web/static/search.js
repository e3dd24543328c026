// The search page: what is asked is in the address and the history; everything shown follows from it.

import * as api from "./api.js";
import * as by from "./by.js";
import { cropper } from "./crop.js";
import { grid, marked, tiles } from "./grid.js";
import { intake } from "./intake.js";
import { cut } from "./pictures.js";
import { selection } from "./selection.js";
import { taste } from "./taste.js";
import { reasons } from "./why.js";

const PAGE = 60;
const LARGEST = 64 * 2 ** 20;
const REFRESH = 5000;
const DEEPEST = 10000; // further down the server does not look
const MOST = 20;
const TEXTS = ["box", "where", "by"];

const at = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));
const uploads = new Map(); // by the number in the history entry; gone with the page
let running = new AbortController();
let total = null;
let offset = 0; // how many of the closest were asked for

/** What the history entry asks for: null, or {image: path or File, like: [path], unlike: [path], box, where, by}. */
function asked() {
  const address = new URLSearchParams(location.search);
  const image = uploads.get(history.state?.upload) ?? address.get("image");
  if (!image) return null;
  const texts = Object.fromEntries(TEXTS.map((name) => [name, address.get(name) ?? ""]));
  return { image, like: address.getAll("like"), unlike: address.getAll("unlike"), ...texts };
}

/** The address of a question; an upload has none of its own. */
function addressOf({ image, like, unlike, ...texts }) {
  const parts = [...like.map((path) => ["like", path]), ...unlike.map((path) => ["unlike", path])];
  if (typeof image === "string") parts.unshift(["image", image]);
  parts.push(...TEXTS.filter((name) => texts[name]).map((name) => [name, texts[name]]));
  return parts.length ? `/?${new URLSearchParams(parts)}` : "/";
}

function go(address, state = {}) {
  history.replaceState({ ...history.state, scroll: scrollY }, "");
  history.pushState(state, "", address);
  return show(0);
}

/** Ask the same with something changed. */
const change = (part) => go(addressOf({ ...asked(), ...part }), { upload: history.state?.upload });

function take(file) {
  if (file.size > LARGEST) return refuse("That file is larger than 64 MB.");
  const upload = uploads.size + 1;
  uploads.set(upload, file);
  return go("/", { upload });
}

function refuse(reason) {
  at.alert.textContent = reason;
  at.alert.hidden = !reason;
}

async function show(scroll) {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  const query = asked();
  refuse("");
  document.body.classList.add("busy");
  at.status.textContent = query ? "Searching" : "";
  try {
    await (query ? results(query, signal) : start(signal));
    if (!signal.aborted) scrollTo(0, scroll);
  } catch (error) {
    if (signal.aborted) return;
    at.grid.replaceChildren();
    at.heading.textContent = "";
    if (error.again) setTimeout(() => signal.aborted || show(scroll), 1000 * error.again); // it is being prepared
    at.heading.parentElement.hidden = !query; // what was asked wrongly can be mended there
    refuse(error instanceof api.Refused ? error.message : `Something went wrong: ${error.message}`);
  } finally {
    if (!signal.aborted) {
      document.body.classList.remove("busy");
      at.status.textContent = "";
    }
  }
}

async function results(query, signal) {
  const path = typeof query.image === "string" ? query.image : null;
  layOut("results", path ?? (query.image.name || "pasted picture"), query.box);
  at.part.hidden = false;
  picture(await cut(path === null || query.box ? large(query) : api.thumbnail(path), query.box));
  if (signal.aborted) return;
  at.where.value = query.where;
  by.show(at.by, query.by);
  taste(at.taste, query, change);
  at.grid.replaceChildren();
  offset = 0;
  await further(query, signal);
  if (signal.aborted) return;
  at.legend.hidden = !at.grid.children.length;
  at.title.focus({ preventScroll: true });
}

/** Add the next closest images. */
async function further(query, signal) {
  const found = await api.search(query, PAGE, offset, signal);
  // What is asked for is on show already.
  const shown = new Set([query.image, ...query.like, ...query.unlike]);
  const said = { query: typeof query.image === "string" ? query.image : "", by: query.by };
  const entries = found.results.filter((hit) => !shown.has(hit.image));
  const acts = { choose, why, mark: ({ image, distance }) => select.toggle({ image, distance, ...said }) };
  const items = await tiles(entries, acts);
  if (signal.aborted) return;
  offset += found.results.length;
  at.grid.append(...items);
  marked(at.grid, select.has);
  at.more.hidden = found.results.length < PAGE || offset >= DEEPEST;
  at.heading.textContent = at.grid.children.length ? "The closest images" : "No image fits";
}

/** The query's picture, as large as there is one. */
const large = ({ image }) => (typeof image === "string" ? api.picture(image) : URL.createObjectURL(image));

/** Say why an image was found, and how it stands to the next one. */
function why(image) {
  const links = [...at.grid.querySelectorAll("a")].map((link) => link.dataset.image);
  explain(asked(), large(asked()), image, links[links.indexOf(image) + 1]);
}

/** Like this too, or not like this: what the last answer has taught the one who looks. */
function choose(way, image) {
  const query = asked();
  const without = (paths) => paths.filter((path) => path !== image);
  const [like, unlike] = [without(query.like), without(query.unlike)];
  if (Math.max(like.length, unlike.length) >= MOST) return refuse(`At most ${MOST} images each way.`);
  change(way === "like" ? { like: [...like, image], unlike } : { like, unlike: [...unlike, image] });
}

async function start(signal) {
  layOut("start", "");
  const entries = await api.images("", PAGE);
  await page(entries, signal, (items) => at.grid.replaceChildren(...items));
}

async function more() {
  const { signal } = running;
  const query = asked();
  const last = at.grid.querySelector("li:last-child a")?.dataset.image ?? "";
  at.more.disabled = true;
  try {
    if (query) await further(query, signal);
    else await page(await api.images(last, PAGE), signal, (items) => at.grid.append(...items));
  } catch (error) {
    if (!signal.aborted) refuse(error.message);
  } finally {
    at.more.disabled = false;
  }
}

async function page(entries, signal, place) {
  const items = await tiles(entries.images.map((image) => ({ image })));
  if (signal.aborted) return;
  place(items);
  at.more.hidden = entries.images.length < PAGE || at.grid.children.length >= entries.total;
  at.empty.hidden = entries.total > 0;
  at.heading.parentElement.hidden = entries.total === 0;
}

/** Turn the page to one of its two faces. */
function layOut(view, name, box = "") {
  const results = view === "results";
  document.body.dataset.view = view;
  document.title = results ? `${name} · lookalike` : "lookalike";
  at.title.textContent = results ? "Looks like" : "Find what looks alike";
  at.name.textContent = box ? `A part of ${name}` : name;
  at.heading.textContent = results ? "Searching…" : "Or start from the collection";
  at.shown.hidden = at.narrow.hidden = !results;
  at.taste.hidden = true;
  at.heading.parentElement.hidden = false;
  at.legend.hidden = at.more.hidden = at.empty.hidden = true;
}

function picture(source) {
  const before = at.preview.src;
  at.preview.hidden = false;
  at.unseen.hidden = true;
  at.preview.src = source;
  if (before.startsWith("blob:")) URL.revokeObjectURL(before);
}

async function watch() {
  if (document.visibilityState === "visible") {
    try {
      const { images, encoder } = await api.health();
      at.served.textContent = `${images.toLocaleString("en")} ${images === 1 ? "image" : "images"} · ${encoder.split("/").at(-1)}`;
      at.served.title = encoder;
      // The first images of an empty collection appear by themselves; later ones when they are looked for.
      if (total === 0 && images > 0 && !asked()) show(0);
      total = images;
    } catch {
      at.served.textContent = "server not reachable";
    }
  }
  setTimeout(watch, REFRESH);
}

at.preview.addEventListener("error", () => {
  at.preview.hidden = at.part.hidden = true;
  at.unseen.hidden = false;
});
document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  // With a modifier, a link opens where the browser puts it.
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  if (link.origin !== location.origin || link.pathname !== "/") return; // another page
  event.preventDefault();
  const image = new URLSearchParams(link.search).get("image");
  // From a result the search goes on by the same model.
  go(image ? addressOf({ image, like: [], unlike: [], by: asked()?.by }) : link.getAttribute("href"));
});
at.more.addEventListener("click", more);
at.narrow.addEventListener("submit", (event) => {
  event.preventDefault();
  change({ where: at.where.value.trim() });
});
at.part.addEventListener("click", () => crop(large(asked()), asked().box));
at.by.addEventListener("change", () => change({ by: at.by.value }));
addEventListener("popstate", (event) => show(event.state?.scroll ?? 0));
new IntersectionObserver(([seen]) => seen.isIntersecting && !at.more.disabled && more(), { rootMargin: "600px" })
  .observe(at.more);

history.scrollRestoration = "manual";
const explain = reasons(at);
const crop = cropper(at, (box) => change({ box }));
const select = selection(at, () => marked(at.grid, select.has));
grid(at.grid);
intake({ inputs: [at.file], veil: at.veil, take, refuse });
show(history.state?.scroll ?? 0);
watch();
by.choices(at.by, () => asked()?.by ?? "");
