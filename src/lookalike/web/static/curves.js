// The losses of a training by pass: a line a member, their mean, and a cursor that says the numbers.

import { make } from "./make.js";

// On a phone the letters must not shrink with the drawing.
const WIDTH = matchMedia("(max-width: 600px)").matches ? 340 : 640;
const [HEIGHT, LEFT, BOTTOM, TOP, RIGHT] = [240, 52, 26, 12, 14];
const KINDS = { loss: "training", validation_loss: "kept back" };

/** A chart of `[{member, epoch, loss, validation_loss?}]`, with the numbers under the cursor in words. */
export function curves(history, name) {
  const lines = Object.keys(KINDS).map((key) => ({ key, members: byMember(history, key) })).filter(({ members }) => members.length);
  if (!lines.length) return null;
  const first = Math.min(...history.map(({ epoch }) => epoch));
  const last = Math.max(...history.map(({ epoch }) => epoch));
  const values = lines.flatMap(({ members }) => members.flatMap((member) => [...member.values()]));
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (epoch) => LEFT + ((epoch - first) / (last - first || 1)) * (WIDTH - LEFT - RIGHT);
  const y = (value) => HEIGHT - BOTTOM - ((value - low) / (high - low || 1)) * (HEIGHT - BOTTOM - TOP);
  const means = lines.map(({ key, members }) => ({ key, mean: meanOf(members) }));
  const svg = make("svg:svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "curves", tabindex: 0, role: "slider", "aria-label": `Losses of ${name} by pass`, "aria-valuemin": first, "aria-valuemax": last });
  svg.append(...axes(low, high, first, last, x, y));
  for (const { key, members } of lines) {
    if (members.length > 1) svg.append(...members.map((member) => path(member, x, y, `${key} thin`)));
  }
  for (const { key, mean } of means) svg.append(path(mean, x, y, key));
  const cursor = make("svg:line", { class: "cursor", y1: TOP, y2: HEIGHT - BOTTOM });
  const dots = means.map(({ key }) => make("svg:circle", { class: `dot ${key}`, r: 4 }));
  svg.append(cursor, ...dots);
  const readout = make("figcaption", { className: "readout" });
  const move = (epoch) => {
    const at = Math.min(last, Math.max(first, epoch));
    const said = [`pass ${at} of ${last}`];
    cursor.setAttribute("x1", x(at));
    cursor.setAttribute("x2", x(at));
    means.forEach(({ key, mean }, number) => {
      const value = mean.get(at);
      dots[number].setAttribute("visibility", value === undefined ? "hidden" : "visible");
      if (value === undefined) return;
      dots[number].setAttribute("cx", x(at));
      dots[number].setAttribute("cy", y(value));
      said.push(`${KINDS[key]} ${value.toPrecision(4)}`);
    });
    readout.textContent = said.join(" · ");
    svg.setAttribute("aria-valuenow", at);
    svg.setAttribute("aria-valuetext", readout.textContent);
    return at;
  };
  let at = move(last);
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const share = (((event.clientX - box.left) / box.width) * WIDTH - LEFT) / (WIDTH - LEFT - RIGHT);
    at = move(Math.round(first + share * (last - first)));
  });
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    at = move(at + step);
  });
  return make("figure", { className: "chart" }, svg, legend(means), readout);
}

function byMember(history, key) {
  const members = new Map();
  for (const epoch of history) {
    if (typeof epoch[key] !== "number") continue;
    const member = epoch.member ?? 0;
    if (!members.has(member)) members.set(member, new Map());
    members.get(member).set(epoch.epoch, epoch[key]);
  }
  return [...members.values()];
}

/** The mean over the members that still trained, pass by pass. */
function meanOf(members) {
  const epochs = [...new Set(members.flatMap((member) => [...member.keys()]))].sort((a, b) => a - b);
  return new Map(epochs.map((epoch) => {
    const reached = members.filter((member) => member.has(epoch)).map((member) => member.get(epoch));
    return [epoch, reached.reduce((sum, value) => sum + value, 0) / reached.length];
  }));
}

function path(line, x, y, kind) {
  const points = [...line].map(([epoch, value]) => `${x(epoch).toFixed(1)},${y(value).toFixed(1)}`);
  return make("svg:path", { class: `line ${kind}`, d: `M${points.join("L")}` });
}

function axes(low, high, first, last, x, y) {
  const text = (content, at, anchor) => make("svg:text", { x: at[0], y: at[1], "text-anchor": anchor }, content);
  const rule = (value) => make("svg:line", { class: "rule", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) });
  const middle = (low + high) / 2;
  return [
    ...[low, middle, high].flatMap((value) => [rule(value), text(value.toPrecision(3), [LEFT - 8, y(value) + 4], "end")]),
    text(String(first), [x(first), HEIGHT - 6], "middle"),
    text(`pass ${last}`, [WIDTH - RIGHT, HEIGHT - 6], "end"),
  ];
}

function legend(means) {
  return make("p", { className: "legend lines" }, ...means.map(({ key }) => make("span", { className: `swatch ${key}` }, KINDS[key])));
}
