// Images that were selected, whatever was searched for since: their paths copied, or a file of them.

import { copied } from "./clipboard.js";

/** Make the bar work; returns `{has, toggle}` for entries `{image, distance, query, by}`. */
export function selection(at, changed) {
  const held = new Map();

  function toggle(entry) {
    if (!held.delete(entry.image)) held.set(entry.image, entry);
    show();
  }

  function show() {
    at.chosen.hidden = !held.size;
    at.count.textContent = held.size ? `${held.size} selected` : "";
    const paths = [...held.keys()];
    const query = [...held.values()].at(-1)?.query;
    const three = paths.length === 2 && query ? [query, ...paths] : paths;
    at.compare.hidden = three.length !== 3;
    if (three.length === 3) at.compare.href = `/compare?${new URLSearchParams([["r", three[0]], ["a", three[1]], ["b", three[2]]])}`;
    changed();
  }

  at.copy.addEventListener("click", async () => {
    const done = await copied([...held.keys()].join("\n"));
    at.count.textContent = done ? `${held.size} selected, paths copied` : "This browser does not let pages copy";
  });
  at.csv.addEventListener("click", () => save("lookalike.csv", "text/csv", csv([...held.values()])));
  at.json.addEventListener("click", () => save("lookalike.json", "application/json", `${JSON.stringify([...held.values()], null, 1)}\n`));
  at.clear.addEventListener("click", () => {
    held.clear();
    show();
  });
  return { has: (image) => held.has(image), toggle };
}

function csv(entries) {
  const names = ["image", "distance", "query", "by"];
  const cell = (value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  return [names, ...entries.map((entry) => names.map((name) => entry[name] ?? ""))].map((row) => `${row.map((value) => cell(String(value))).join(",")}\r\n`).join("");
}

function save(name, type, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
