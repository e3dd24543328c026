// The leaderboard, the same by context, and all models: tables whose numbers are drawn, too.

import { make, percent } from "./make.js";

const WIDTH = 260;
const HEIGHT = 26;

/** Fill a table with rows of the leaderboard, best first, every accuracy drawn with its interval. */
export function board(table, { rows, ceiling, chance, references }) {
  const ends = rows.flatMap((row) => [row.low ?? row.accuracy, row.high ?? row.accuracy]);
  const limit = ceiling < 1 ? [ceiling] : [];
  const [least, most] = [Math.max(0, Math.min(chance, ...ends) - 0.02), Math.min(1, Math.max(...ends, ...limit) + 0.02)];
  const at = (value) => 6 + ((value - least) / (most - least)) * (WIDTH - 12);
  const rules = [chance, ...limit].map(at);
  const body = rows.map((row) => line(row, at, rules));
  const edges = [["ceiling", limit[0]], ["chance", chance]].filter(([, value]) => value !== undefined);
  const caption = make("caption", { className: "quiet" }, `Accuracy of each model, of ${references} references`);
  const head = make("tr", {}, ...["Model", "Kind", "Accuracy", "95% interval", "", "Behind the best"].map(heading));
  const foot = edges.map(([name, value]) => make("tr", { className: "edge" }, ...cells([name, "", percent(value), "", "", ""])));
  table.replaceChildren(caption, make("thead", {}, head), make("tbody", {}, ...body), make("tfoot", {}, ...foot));
}

/** Fill a table of models and contexts; returns whether there is anything to compare. */
export function matrix(table, { rows }) {
  const contexts = Object.keys(rows[0]?.by_context ?? {});
  if (contexts.length < 2) return false;
  const best = Object.fromEntries(contexts.map((one) => [one, Math.max(...rows.map((row) => row.by_context[one].accuracy))]));
  const all = rows.flatMap((row) => contexts.map((one) => row.by_context[one].accuracy));
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const head = make("tr", {}, heading("Model"), ...contexts.map((one) => heading(one)));
  const body = rows.map((row) => make("tr", {}, named(row.label), ...contexts.map((one) => {
    const { accuracy, low, high, n } = row.by_context[one];
    const told = low === null ? `${n} judgments` : `${percent(low)} to ${percent(high)}, ${n} judgments`;
    const cell = make("td", { title: `${row.label} in ${one}: ${told}` }, make(accuracy === best[one] ? "b" : "span", {}, percent(accuracy)));
    cell.style.setProperty("--heat", `${Math.round(4 + (38 * (accuracy - least)) / (most - least || 1))}%`);
    return cell;
  })));
  const counts = make("tr", { className: "edge" }, named("judgments"), ...contexts.map((one) => make("td", {}, rows[0].by_context[one].n.toLocaleString("en"))));
  table.replaceChildren(make("caption", { className: "quiet" }, "Accuracy by context"), make("thead", {}, head), make("tbody", {}, ...body, counts));
  return true;
}

/** Fill a table with the cards of all models. */
export function cards(table, models) {
  const head = make("tr", {}, ...["Model", "What it is", "Learned from", "Held out", "Made of"].map(heading));
  const body = models.map((one) => {
    const held = one.held_out;
    const interval = held && held.low !== null ? ` (${percent(held.low)} to ${percent(held.high)})` : "";
    const from = one.examples === null ? "" : `${one.examples.toLocaleString("en")} ${one.learned_from ?? ""}`;
    const made = one.ensemble
      ? Object.entries(one.members).sort(([, a], [, b]) => b - a).map(([name, weight]) => `${name} ${percent(weight, 0)}`).join(", ")
      : one.encoders.map((name) => name.split("/").at(-1)).join(" + ");
    return make("tr", {}, named(one.name), ...cells([
      one.ensemble ? "ensemble" : one.context ? `${one.model} model of ${one.context}` : `${one.model} model`, from,
      held ? `${held.measure} ${percent(held.value)}${interval}` : "not measured", made,
    ]));
  });
  table.replaceChildren(make("caption", { className: "quiet" }, "Models of the workspace"), make("thead", {}, head), make("tbody", {}, ...body));
}

function line(row, at, rules) {
  const interval = row.low === null ? "" : `${percent(row.low)} to ${percent(row.high)}`;
  const { behind } = row;
  const far = behind ? `${(100 * behind.value).toFixed(1)} points${behind.p === null ? "" : `, p ${behind.p < 0.001 ? "< 0.001" : behind.p.toFixed(3)}`}` : "";
  const name = named(row.label);
  if (row.seen) name.append(make("span", { className: "seen", title: "Share of these answers with a picture that it was fitted on" }, ` ${percent(row.seen, 0)} seen`));
  return make("tr", {}, name, ...cells([row.kind, make("b", {}, percent(row.accuracy)), interval, drawn(row, at, rules), far]));
}

function drawn({ accuracy, low, high }, at, rules) {
  const middle = HEIGHT / 2;
  const svg = make("svg:svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, "aria-hidden": "true" });
  for (const x of rules) svg.append(make("svg:line", { class: "rule", x1: x, x2: x, y1: 0, y2: HEIGHT }));
  if (low !== null) svg.append(make("svg:line", { class: "interval", x1: at(low), x2: at(high), y1: middle, y2: middle }));
  svg.append(make("svg:circle", { class: "dot", cx: at(accuracy), cy: middle, r: 4.5 }));
  return svg;
}

const heading = (text) => (text ? make("th", { scope: "col" }, text) : make("td"));
const named = (text) => make("th", { scope: "row" }, text);
const cells = (values) => values.map((value) => make("td", {}, value));
