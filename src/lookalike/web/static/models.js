// The models page: what models came to, how they were made, what is at work, and what to start.

import * as api from "./api.js";
import { board, cards, matrix } from "./board.js";
import { curves } from "./curves.js";
import { Jobs } from "./jobs.js";
import { make, percent, span, when } from "./make.js";
import { starting } from "./starting.js";

const PAGE = 20;
const at = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));

function refuse(reason) {
  at.alert.textContent = reason;
  at.alert.hidden = !reason;
  if (reason) at.alert.scrollIntoView({ block: "nearest" });
}

async function standings(mayStart) {
  const found = await api.leaderboard();
  const { measured, models } = found;
  at.board_scroll.hidden = !measured;
  at.unmeasured.hidden = Boolean(measured);
  at.stale.hidden = !found.out_of_date;
  at.measure.hidden = !mayStart || !models.length;
  at.how.textContent = measured ? `${measured.judgments.toLocaleString("en")} judgments of ${measured.references.toLocaleString("en")} references; ${measured.how}; ${when(measured.at)}` : "";
  if (measured) board(at.board, measured);
  at.by_context.hidden = !measured || !matrix(at.matrix, measured);
  at.cards_part.hidden = !models.length;
  if (models.length) cards(at.cards, models);
}

async function runs(before = "") {
  const { runs: found, total } = await api.runs(before, PAGE);
  const items = found.map(run);
  if (before) at.runs.append(...items);
  else at.runs.replaceChildren(...items);
  at.no_runs.hidden = total > 0;
  at.runs_count.textContent = total ? `${total.toLocaleString("en")} in all, the newest first` : "";
  at.more.hidden = found.length < PAGE || at.runs.children.length >= total;
}

function run(head) {
  const { told, measured } = head;
  const what = [told.name, told.photos, told.examples && `${told.examples.toLocaleString("en")} examples`, told.images && `${told.images.toLocaleString("en")} images`,
    told.judgments && `${told.judgments.toLocaleString("en")} judgments`, measured && `held out: ${measured.measure} ${percent(measured.value)}`, told.seconds && span(told.seconds)];
  const summary = make("summary", {}, make("b", {}, head.command || "damaged record"), make("span", { className: "what" }, what.filter(Boolean).join(" · ") || head.error || ""),
    make("time", { className: "legend", dateTime: head.at ?? "" }, head.at ? when(head.at) : ""));
  const details = make("details", {}, summary);
  details.addEventListener("toggle", () => details.open && details.children.length === 1 && open(details, head.id), { once: false });
  return make("li", { dataset: { run: head.id } }, details);
}

async function open(details, id) {
  const body = make("div", { className: "record" });
  details.append(body);
  try {
    const record = await api.run(id);
    const { history, ...result } = record.result;
    const chart = history?.length ? curves(history, record.config.name ?? record.command) : null;
    const rows = [["asked", record.config], ["came out", result], ["by", { lookalike: record.lookalike, python: record.python }]];
    body.append(...(chart ? [chart] : []), ...rows.map(([title, values]) => settings(title, values)));
  } catch (error) {
    body.append(make("p", { className: "reason" }, error.message));
  }
}

/** Nested values as one list of terms. */
function settings(title, values) {
  const list = make("dl");
  const walk = (value, name) => {
    if (value && typeof value === "object" && !Array.isArray(value)) {
      for (const [key, inner] of Object.entries(value)) walk(inner, name ? `${name}.${key}` : key);
    } else if (value !== null && value !== undefined && value !== "" && name !== "fingerprint" && list.children.length < 80) {
      const text = Array.isArray(value) ? (value.length > 12 ? `${value.length} values` : value.map((one) => (typeof one === "object" ? JSON.stringify(one) : one)).join(", ")) : String(value);
      list.append(make("div", {}, make("dt", {}, name), make("dd", {}, text.slice(0, 300))));
    }
  };
  walk(values, "");
  return make("section", {}, make("h3", {}, title), list);
}

async function begin(jobs, task) {
  refuse("");
  try {
    const job = await jobs.start(task);
    at.status.textContent = `Started: ${job.title}`;
    at.working.scrollIntoView({ block: "nearest", behavior: "smooth" });
    return true;
  } catch (error) {
    refuse(error.message);
    return false;
  }
}

async function open_page() {
  try {
    const { keys_wanted: wanted, role } = await api.session();
    const mayStart = !wanted || role === "admin";
    const jobs = new Jobs(at.jobs, at.working, {
      mayCancel: mayStart,
      ended: async (job) => {
        at.status.textContent = `${job.title}: ${job.state}`;
        await Promise.all([standings(mayStart), runs()]).catch((error) => refuse(error.message));
      },
    });
    await Promise.all([standings(mayStart), runs()]);
    at.start_part.hidden = !mayStart;
    if (mayStart) starting(at, await api.choices(), (task) => begin(jobs, task));
    at.measure.addEventListener("click", () => begin(jobs, { task: "evaluate" }));
  } catch (error) {
    refuse(error instanceof api.Refused ? error.message : `Something went wrong: ${error.message}`);
  }
}

at.more.addEventListener("click", () => runs(at.runs.lastElementChild?.dataset.run).catch((error) => refuse(error.message)));
api.health().then(({ images }) => { at.served.textContent = `${images.toLocaleString("en")} ${images === 1 ? "image" : "images"}`; }, () => {});
open_page();
