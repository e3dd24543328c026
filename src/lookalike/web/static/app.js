// The search page: what is asked is in the address and the history; everything shown follows from it.

import * as api from "./api.js";
import { grid, tiles } from "./grid.js";
import { intake } from "./intake.js";

const PAGE = 60;
const LARGEST = 64 * 2 ** 20;
const REFRESH = 5000;

const at = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));
const uploads = new Map(); // by the number in the history entry; gone with the page
let running = new AbortController();
let total = null;

/** What the history entry asks for: null, {image: path} or {image: File}. */
function asked() {
  const upload = uploads.get(history.state?.upload);
  if (upload) return { image: upload };
  const image = new URLSearchParams(location.search).get("image");
  return image ? { image } : null;
}

function go(address, state = {}) {
  history.replaceState({ ...history.state, scroll: scrollY }, "");
  history.pushState(state, "", address);
  return show(0);
}

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
    await (query ? results(query.image, signal) : start(signal));
    if (!signal.aborted) scrollTo(0, scroll);
  } catch (error) {
    if (signal.aborted) return;
    at.grid.replaceChildren();
    at.heading.parentElement.hidden = true;
    refuse(error instanceof api.Refused ? error.message : `Something went wrong: ${error.message}`);
  } finally {
    if (!signal.aborted) {
      document.body.classList.remove("busy");
      at.status.textContent = "";
    }
  }
}

async function results(image, signal) {
  const path = typeof image === "string" ? image : null;
  const k = Number(at.count.value);
  layOut("results", path ?? (image.name || "pasted picture"));
  picture(path === null ? URL.createObjectURL(image) : api.thumbnail(path));
  // An image of the collection finds itself first: it is on show already, so ask for one more.
  const found = await api.search(image, path === null ? k : Math.min(k + 1, 200), signal);
  const hits = found.results.filter((hit) => hit.image !== path).slice(0, k);
  const items = await tiles(hits);
  if (signal.aborted) return;
  at.grid.replaceChildren(...items);
  at.heading.textContent = hits.length === 1 ? "The closest image" : `The ${hits.length} closest images`;
  at.legend.hidden = false;
  at.title.focus({ preventScroll: true });
}

async function start(signal) {
  layOut("start", "");
  const entries = await api.images("", PAGE);
  await page(entries, signal, (items) => at.grid.replaceChildren(...items));
}

async function more() {
  const { signal } = running;
  const last = at.grid.querySelector("li:last-child a")?.dataset.image ?? "";
  at.more.disabled = true;
  try {
    await page(await api.images(last, PAGE), signal, (items) => at.grid.append(...items));
  } catch (error) {
    refuse(error.message);
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
function layOut(view, name) {
  const results = view === "results";
  document.body.dataset.view = view;
  document.title = results ? `${name} · lookalike` : "lookalike";
  at.title.textContent = results ? "Looks like" : "Find what looks alike";
  at.name.textContent = name;
  at.heading.textContent = results ? "Searching…" : "Or start from the collection";
  at.shown.hidden = !results;
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
      at.served.textContent = `${images.toLocaleString("en")} ${images === 1 ? "image" : "images"} · ${encoder}`;
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
  at.preview.hidden = true;
  at.unseen.hidden = false;
});
document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  // With a modifier, a link opens where the browser puts it.
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(link.getAttribute("href"));
});
at.more.addEventListener("click", more);
at.count.addEventListener("change", () => asked() && show(scrollY));
addEventListener("popstate", (event) => show(event.state?.scroll ?? 0));
new IntersectionObserver(([seen]) => seen.isIntersecting && !at.more.disabled && more(), { rootMargin: "600px" })
  .observe(at.more);

history.scrollRestoration = "manual";
grid(at.grid);
intake({ input: at.file, veil: at.veil, take, refuse });
show(history.state?.scroll ?? 0);
watch();
