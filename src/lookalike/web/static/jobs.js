// Jobs that work or wait on the server, with progress as it comes; whoever opens the page sees the same ones.

import * as api from "./api.js";
import { make, span, when } from "./make.js";

const SHOWN_SECONDS = 3600; // one that failed stays on show for so long
const CHECK = 5000;

export class Jobs {
  #list; #part; #mayCancel; #ended; #only; #rows = new Map(); #dismissed = new Set();

  /** `ended(job)` is told of every job that ends while the page is open; with `only`, of those of that task. */
  constructor(list, part, { mayCancel, ended, only = null }) {
    this.#list = list;
    this.#part = part;
    this.#mayCancel = mayCancel;
    this.#ended = ended;
    this.#only = only;
    this.#look();
  }

  async start(task) {
    const job = await api.startJob(task);
    this.#show(job);
    this.#follow(job);
    return job;
  }

  /** Find those that were started elsewhere, too. */
  async #look() {
    if (document.visibilityState === "visible") {
      const found = await api.jobs().catch(() => null);
      for (const job of (found?.jobs ?? []).reverse()) {
        const fresh = !isOver(job) || (job.state === "failed" && Date.now() / 1000 - job.ended < SHOWN_SECONDS);
        if (!fresh || (this.#only && job.task.task !== this.#only) || this.#rows.has(job.id) || this.#dismissed.has(job.id)) continue;
        this.#show(job);
        if (!isOver(job)) this.#follow(job);
      }
    }
    setTimeout(() => this.#look(), CHECK);
  }

  #follow({ id }) {
    const source = new EventSource(api.jobEvents(id));
    const take = (event) => this.#show(JSON.parse(event.data));
    source.addEventListener("progress", take);
    source.addEventListener("end", (event) => {
      source.close();
      take(event);
      const job = JSON.parse(event.data);
      if (job.state === "done") this.#remove(id);
      this.#ended(job);
    });
  }

  #show(job) {
    let row = this.#rows.get(job.id);
    if (!row) {
      row = this.#row(job);
      this.#rows.set(job.id, row);
      this.#list.append(row.item);
    }
    row.state.textContent = stateOf(job);
    row.item.dataset.state = job.state;
    row.error.textContent = job.error ?? "";
    row.error.hidden = !job.error;
    row.cancel.hidden = isOver(job) || !this.#mayCancel;
    row.dismiss.hidden = !isOver(job);
    const stages = isOver(job) ? [] : job.stages.length || job.state === "waiting" ? job.stages : [{ stage: "starting", done: 0, total: 0 }];
    row.stages.replaceChildren(...stages.map(bar));
    this.#part.hidden = false;
  }

  #row(job) {
    const row = {
      state: make("span", { className: "legend" }),
      error: make("p", { className: "reason", hidden: true }),
      stages: make("div", { className: "stages" }),
      cancel: make("button", { type: "button", className: "plain", ariaLabel: `Cancel ${job.title}` }, "Cancel"),
      dismiss: make("button", { type: "button", className: "plain", ariaLabel: `Dismiss ${job.title}` }, "Dismiss"),
    };
    row.cancel.addEventListener("click", () => {
      row.cancel.disabled = true;
      api.cancelJob(job.id).catch((error) => { row.error.textContent = error.message; row.error.hidden = false; });
    });
    row.dismiss.addEventListener("click", () => this.#remove(job.id));
    const head = make("div", { className: "job_head" }, make("b", {}, job.title), row.state, row.cancel, row.dismiss);
    row.item = make("li", {}, head, row.stages, row.error);
    return row;
  }

  #remove(id) {
    this.#rows.get(id)?.item.remove();
    this.#dismissed.add(id);
    this.#part.hidden = !this.#list.children.length;
  }
}

const isOver = ({ state }) => ["done", "failed", "cancelled"].includes(state);

function stateOf(job) {
  if (job.state === "waiting") return "waiting for its turn";
  if (job.state === "running") return `since ${when(1000 * job.started)}`;
  const took = job.started ? ` after ${span(job.ended - job.started)}` : "";
  return `${job.state}${took}`;
}

function bar({ stage, done, total, rejected }) {
  const label = make("span", {}, stage);
  const meter = make("progress", { ariaLabel: stage });
  if (total) [meter.max, meter.value] = [total, done];
  const counts = total ? `${done.toLocaleString("en")} of ${total.toLocaleString("en")}` : done ? done.toLocaleString("en") : "";
  const note = rejected ? `${counts}, ${rejected.toLocaleString("en")} rejected` : counts;
  return make("div", { className: "stage" }, label, meter, make("span", { className: "legend" }, note));
}
