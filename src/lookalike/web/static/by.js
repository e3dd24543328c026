// What to search by: the encoder, or a model or an ensemble of the workspace.

import { models } from "./api.js";

const GROUPS = { ensemble: "Ensembles", model: "Models" };

/** Fill a select with what there is to search by; it stays hidden where there is nothing but the encoder. */
export async function choices(select, chosen) {
  const listed = await models().catch(() => []);
  const able = listed.filter((one) => one.searches && one.kind !== "encoder");
  const encoder = listed.find((one) => one.kind === "encoder")?.name ?? "the encoder";
  const groups = Object.entries(GROUPS)
    .map(([kind, title]) => group(title, able.filter((one) => one.kind === kind)))
    .filter((each) => each.children.length);
  select.replaceChildren(option("", encoder.split("/").at(-1)), ...groups);
  select.hidden = !groups.length && !chosen();
  show(select, chosen());
}

/** Show what is searched by, also where the server does not know it. */
export function show(select, by) {
  if (by && ![...select.options].some((each) => each.value === by)) select.append(option(by, by));
  select.value = by;
  if (by) select.hidden = false;
}

function group(title, entries) {
  const made = document.createElement("optgroup");
  made.label = title;
  made.append(...entries.map(({ name, accuracy }) => option(name, accuracy === null ? name : `${name} · ${percent(accuracy)}`)));
  return made;
}

function option(value, text) {
  const made = document.createElement("option");
  made.value = value;
  made.textContent = text;
  return made;
}

/** A share as people read it. */
export const percent = (share) => `${(100 * share).toFixed(0)}%`;
