// Groups of pictures with a mark each: buttons that say keep or remove, walked through by the arrow keys.

import { thumbnail } from "./api.js";
import { pixels, size } from "./duplicates_words.js";

/**
 * Fill `list` with groups, and call `told` whenever a mark changes. Returns `{add, clear, going, said, groups}`:
 * `going` are the copies to remove, `said` the marks that differ from what the server suggests.
 */
export function sets(list, told) {
  let copies = [];
  const state = {
    groups: 0,
    add(groups) {
      for (const group of groups) list.append(set(group, (state.groups += 1)));
    },
    clear() {
      list.replaceChildren();
      copies = [];
      state.groups = 0;
    },
    going: () => copies.filter((copy) => !copy.kept),
    said: () => ({
      keep: copies.filter((copy) => copy.kept && copy.mark === "remove").map((copy) => copy.image),
      remove: copies.filter((copy) => !copy.kept && copy.mark === "keep").map((copy) => copy.image),
    }),
  };

  function set(group, number) {
    const item = document.createElement("li");
    item.className = "set";
    const heading = Object.assign(document.createElement("h3"), { textContent: `Group ${number}` });
    const side = Object.assign(document.createElement("ul"), { className: "side" });
    const mine = group.map((copy) => ({ ...copy, kept: copy.mark === "keep", item }));
    const largest = Math.max(...mine.map((copy) => copy.width * copy.height));
    side.append(...mine.map((copy) => tile(copy, largest)));
    item.append(heading, side);
    item.copies = mine;
    copies.push(...mine);
    return item;
  }

  function tile(copy, largest) {
    const item = Object.assign(document.createElement("li"), { className: "copy" });
    const button = Object.assign(document.createElement("button"), { type: "button" });
    const picture = Object.assign(document.createElement("img"), { src: thumbnail(copy.image), alt: "", draggable: false, loading: "lazy" });
    const word = Object.assign(document.createElement("span"), { className: "mark-word" });
    const file = Object.assign(document.createElement("p"), { className: "file", textContent: copy.image });
    const facts = Object.assign(document.createElement("p"), { className: "facts" });
    const shape = document.createElement(copy.width * copy.height === largest ? "b" : "span");
    shape.textContent = pixels(copy);
    facts.append(shape, ` · ${size(copy.bytes)} · ${new Date(copy.modified * 1000).toISOString().slice(0, 10)}`);
    button.append(picture, word);
    button.addEventListener("click", () => mark([copy], !copy.kept));
    button.copy = copy;
    [copy.button, copy.word] = [button, word];
    item.append(button, file, facts);
    draw(copy);
    return item;
  }

  function draw(copy) {
    copy.word.textContent = copy.kept ? "Keep" : "Remove";
    copy.button.setAttribute("aria-pressed", copy.kept);
    copy.button.setAttribute("aria-label", `Keep ${copy.image}, ${pixels(copy)}, ${size(copy.bytes)}`);
  }

  function mark(some, kept) {
    for (const copy of some) {
      copy.kept = kept;
      draw(copy);
      const none = copy.item.copies.every((one) => !one.kept);
      copy.item.toggleAttribute("data-none", none);
      copy.item.querySelector("h3").textContent =
        `Group ${[...list.children].indexOf(copy.item) + 1}${none ? ": nothing of it would be left" : ""}`;
    }
    told();
  }

  list.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const { copy } = event.target.closest("button") ?? {};
    if (!copy || !act(event.key.length === 1 ? event.key.toLowerCase() : event.key, copy)) return;
    event.preventDefault();
  });

  /** Do what a key stands for; false where it stands for nothing. */
  function act(key, copy) {
    const all = copy.item.copies;
    if (key === "k") mark([copy], true);
    else if (key === "r") mark([copy], false);
    else if (key === "a") mark(all, true);
    else if (key === "o") {
      mark(all, false);
      mark([copy], true);
    } else return walk(key, copy);
    return true;
  }

  function walk(key, copy) {
    const [row, place] = [[...list.children], copy.item.copies.indexOf(copy)];
    const group = row.indexOf(copy.item);
    const steps = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[key];
    if (!steps) return false;
    const to = row[group + steps[0]]?.copies;
    const next = steps[0] ? to?.[Math.min(place, to.length - 1)] : to[place + steps[1]];
    next?.button.focus();
    next?.button.scrollIntoView({ block: "nearest" });
    return Boolean(next);
  }

  return state;
}
