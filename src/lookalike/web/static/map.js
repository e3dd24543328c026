// The map page: where pictures stand, what their colours say, and contexts that are named there.

import * as api from "./api.js";
import { colourings, painted } from "./colours.js";
import { Jobs } from "./jobs.js";
import { make, percent, when } from "./make.js";
import { moves } from "./mapmoves.js";
import { MapView } from "./mapview.js";

const LISTED = 40;
const at = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));
let view = null;
let places = null;
let paint = null;
let jobs = null;
let may = { start: false, name: false };
let listing = 0;

function refuse(reason) {
  at.alert.textContent = reason;
  at.alert.hidden = !reason;
}

async function load() {
  const found = await api.map();
  at.nothing.hidden = Boolean(found.places);
  at.chart_part.hidden = at.side.hidden = !found.places;
  showNamed(found.named);
  if (!found.places) return;
  const kept = view && JSON.stringify(view.images) === JSON.stringify(found.places.images) ? view : null;
  places = found.places;
  if (kept) Object.assign(kept, { x: places.x, y: places.y });
  else {
    const canvas = at.canvas.cloneNode(); // without what listened to the map before
    at.canvas.replaceWith(canvas);
    at.canvas = canvas;
    view = new MapView(canvas, places, () => { clearTimeout(listing); listing = setTimeout(list, 150); });
    moves(canvas, view, () => at.lasso.getAttribute("aria-pressed") === "true", { hover, choose, lasso, all, letGo });
    choose([]);
  }
  const some = places.images.length < places.total ? `${places.images.length.toLocaleString("en")} of ${places.total.toLocaleString("en")}` : `all ${places.total.toLocaleString("en")}`;
  at.about.textContent = `${some} pictures, by ${places.encoder.split("/").at(-1)}; drawn ${when(places.at)}${places.out_of_date ? "; the collection has changed since" : ""}`;
  offer();
}

/** Fill the list of colourings, keeping the one that was chosen where it is still there. */
function offer() {
  const before = at.colour.value;
  const found = colourings(places);
  at.colour.replaceChildren(...found.map(({ id, label }) => make("option", { value: id }, label)));
  if (found.some(({ id }) => id === before)) at.colour.value = before;
  at.colour.onchange = () => repaint(found.find(({ id }) => id === at.colour.value));
  at.colour.onchange();
}

function repaint({ of }) {
  const said = of();
  paint = { ...painted(said), said: said.values };
  view.colours = paint.colours;
  const kinds = paint.kinds ?? [];
  at.key_list.replaceChildren(...kinds.map(({ name, colour, count }) => {
    const dot = make("i", { className: "dot_key" });
    dot.style.background = colour;
    const button = make("button", { type: "button", title: `Select all of ${name}` }, dot, `${name} `, make("span", { className: "legend" }, count.toLocaleString("en")));
    button.addEventListener("click", () => choose(paint.said.flatMap((value, place) => (value === name ? [place] : []))));
    return make("li", {}, button);
  }));
  at.key_list.hidden = !kinds.length;
  at.scale.hidden = !paint.shares;
  if (paint.shares) [at.scale_low.textContent, at.scale_high.textContent] = paint.shares.map((share) => percent(share, 0));
  view.draw();
}

function hover(place, x, y) {
  at.tip.hidden = place === null;
  if (place === null) return;
  const image = places.images[place];
  if (at.tip.dataset.image !== image) at.tip_picture.src = api.thumbnail(image);
  at.tip.dataset.image = image;
  const value = paint.said[place];
  const told = value === null ? "nobody has said" : paint.shares ? percent(value, 0) : value;
  at.tip_text.textContent = `${image} · ${told}`;
  const [width, height] = [at.canvas.clientWidth, at.canvas.clientHeight];
  at.tip.style.left = `${Math.min(Math.max(8, x + 14), width - 190)}px`;
  at.tip.style.top = y > height / 2 ? "auto" : `${y + 14}px`;
  at.tip.style.bottom = y > height / 2 ? `${height - y + 14}px` : "auto";
}

/** Select places, or add them to what is selected. */
function choose(chosen, add = false) {
  view.selected = new Set(add ? [...view.selected, ...chosen] : chosen);
  const { size } = view.selected;
  at.count.textContent = size ? `${size.toLocaleString("en")} selected` : "Nothing selected";
  at.status.textContent = at.count.textContent;
  at.hint.hidden = size > 0;
  at.clear.disabled = !size;
  at.naming.hidden = !size || !may.name;
  view.draw();
}

const lasso = () => at.lasso.setAttribute("aria-pressed", String(at.lasso.getAttribute("aria-pressed") !== "true"));
const all = () => choose(view.inView());

function letGo() {
  at.lasso.setAttribute("aria-pressed", "false");
  hover(null);
  choose([]);
}

/** The pictures nearest to the middle of the view, to be ticked. */
function list() {
  if (!at.listing.open) return;
  const seen = view.inView();
  const images = seen.slice(0, LISTED).map((place) => places.images[place]);
  at.listed.textContent = seen.length > LISTED ? `the ${LISTED} nearest to the middle of ${seen.length.toLocaleString("en")}` : "";
  // The same list stays, with whatever has the focus in it.
  if (at.ticks.dataset.images !== JSON.stringify(images)) at.ticks.replaceChildren(...seen.slice(0, LISTED).map(tick));
  at.ticks.dataset.images = JSON.stringify(images);
  const lacking = images.filter((image, row) => {
    const [box, picture] = at.ticks.children[row].querySelectorAll("input, canvas");
    box.checked = view.selected.has(seen[row]);
    return !view.sheets.paint(picture, image);
  });
  view.sheets.want("list", lacking);
}

function tick(place) {
  const box = make("input", { type: "checkbox" });
  box.addEventListener("change", () => choose(box.checked ? [place] : [...view.selected].filter((one) => one !== place), box.checked));
  const picture = make("canvas", { width: 96, height: 96 });
  return make("li", {}, make("label", { title: places.images[place] }, box, picture, make("span", { className: "quiet" }, places.images[place])));
}

function showNamed(named) {
  at.named_part.hidden = !Object.keys(named).length;
  at.named.replaceChildren(...Object.entries(named).map(([name, count]) => {
    const remove = make("button", { type: "button", className: "plain", hidden: !may.name, ariaLabel: `Forget the context ${name}` }, "Forget");
    remove.addEventListener("click", () => tried(async () => { showNamed((await api.forgetContext(name)).named); await load(); }));
    return make("li", {}, make("b", {}, name), make("span", { className: "legend" }, `${count.toLocaleString("en")} ${count === 1 ? "picture" : "pictures"}`), remove);
  }));
}

async function tried(act) {
  refuse("");
  try {
    await act();
  } catch (error) {
    refuse(error instanceof api.Refused ? error.message : `Something went wrong: ${error.message}`);
  }
}

const draw = () => tried(async () => { await jobs.start({ task: "map" }); });

async function open() {
  const { keys_wanted: wanted, role } = await api.session();
  may = { start: !wanted || role === "admin", name: !wanted || role !== "reader" };
  at.draw.hidden = at.redraw.hidden = !may.start;
  at.ask_admin.hidden = may.start;
  jobs = new Jobs(at.jobs, at.working, { mayCancel: may.start, only: "map", ended: (job) => tried(async () => { at.status.textContent = `${job.title}: ${job.state}`; await load(); }) });
  await load();
}

at.draw.addEventListener("click", draw);
at.redraw.addEventListener("click", draw);
at.lasso.addEventListener("click", lasso);
at.closer.addEventListener("click", () => view.zoom(1.5));
at.farther.addEventListener("click", () => view.zoom(1 / 1.5));
at.fit.addEventListener("click", () => view.fit());
at.in_view.addEventListener("click", all);
at.clear.addEventListener("click", letGo);
at.listing.addEventListener("toggle", list);
at.pictures.addEventListener("change", () => { view.pictures = at.pictures.checked; view.draw(); });
at.naming.addEventListener("submit", (event) => {
  event.preventDefault();
  tried(async () => {
    const name = at.context.value.trim();
    const images = [...view.selected].map((place) => places.images[place]);
    await api.nameContext(name, images);
    at.context.value = "";
    letGo();
    await load();
    at.colour.value = "context";
    at.colour.onchange();
    at.status.textContent = `${images.length} pictures are now the context ${name}`;
  });
});
api.health().then(({ images }) => { at.served.textContent = `${images.toLocaleString("en")} ${images === 1 ? "image" : "images"}`; }, () => {});
tried(open);
