// The form that starts a job: which fields a task takes, and what is sent for them.

import { make } from "./make.js";

const LEARNED = ["name", "encoder", "epochs", "parameters", "replace"];
const TASKS = {
  "train-global": { label: "Train a global model", fields: LEARNED, says: "One model on the answers of all contexts: what context models start from." },
  "train-context": { label: "Train a model for each context", fields: ["encoder", "begin", "epochs", "parameters", "replace"], says: "On the answers of that context alone; with few of them, start from a global model." },
  "train-adaptation": { label: "Train an adaptation function", fields: LEARNED, says: "A small map over frozen features, learned from judgments." },
  "train-contrastive": { label: "Train a matcher on views", fields: LEARNED, says: "Which pictures show the same thing, learned from the photographs without any labels." },
  "train-quantizer": { label: "Train compact codes", fields: LEARNED, says: "A few bytes an image, by which to search." },
  combine: { label: "Combine models", fields: ["name", "kinds", "parameters", "replace"], says: "An ensemble that knows which model to trust near which picture." },
  evaluate: { label: "Measure all models", fields: [], says: "Side by side, on answers that none of them was fitted on." },
  index: { label: "Index the photographs", fields: ["encoder"], says: "Brings the collection in step with its folder." },
};

/** Make the form work; `begin(task)` resolves once the job was taken. */
export function starting(at, choices, begin) {
  const options = (list, none) => [make("option", { value: "" }, none), ...list.map((one) => make("option", { value: one }, one))];
  at.task.replaceChildren(...Object.entries(TASKS).map(([value, { label }]) => make("option", { value }, label)));
  at.encoder.replaceChildren(...options(choices.encoders, "as the workspace"));
  at.begin.replaceChildren(...options(choices.models, "nothing"));
  const turn = () => {
    const { fields, says } = TASKS[at.task.value];
    at.says.textContent = says;
    for (const field of at.start.querySelectorAll("[data-for]")) field.hidden = !fields.includes(field.dataset.for);
    at.name.required = fields.includes("name") && at.task.value !== "combine";
  };
  at.task.onchange = turn;
  at.start.onsubmit = async (event) => {
    event.preventDefault();
    at.go.disabled = true;
    const taken = await begin(taskOf(at, TASKS[at.task.value].fields));
    at.go.disabled = false;
    if (taken) at.name.value = "";
  };
  turn();
}

function taskOf(at, fields) {
  const task = { task: at.task.value };
  const has = (field) => fields.includes(field);
  if (has("name") && at.name.value.trim()) task.name = at.name.value.trim();
  if (has("encoder") && at.encoder.value) {
    if (at.task.value === "index") task.encoder = at.encoder.value;
    else task.encoders = [at.encoder.value];
  }
  if (has("begin") && at.begin.value) task.start = at.begin.value;
  if (has("kinds")) task.kinds = [...at.start.querySelectorAll("[name=kinds]:checked")].map(({ value }) => value);
  if (has("replace")) task.replace = at.replace.checked;
  if (has("parameters")) task.parameters = parameters(at.parameters.value);
  if (has("epochs") && at.epochs.value) task.parameters.epochs = Number(at.epochs.value);
  return task;
}

/** `NAME=VALUE` each; numbers, true, false and null are what they look like, all else is text. */
function parameters(text) {
  return Object.fromEntries(text.split(/\s+/).filter(Boolean).map((part) => {
    const [name, ...rest] = part.split("=");
    const value = rest.join("=");
    try {
      return [name, JSON.parse(value)];
    } catch {
      return [name, value];
    }
  }));
}
