// The duplicates page: groups side by side, a mark for every picture, lists to take away, and files into the trash and back.

import { health, Refused, session } from "./api.js";
import { describe, size } from "./duplicates_words.js";
import * as server from "./duplicates_api.js";
import { sets } from "./duplicates_sets.js";

const PAGE = 20;
const PAUSE = 400; // between two looks whether the groups are found
const REACH = 2; // the slider ends at so many times the usual threshold

const at = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));
let usual = null; // the threshold in the middle of the slider
let asked = { threshold: null, mirrored: false };
let turn = 0; // counts questions: an answer to an older one is not shown
let found = null; // the last answer
let admin = true;
let plan = null; // what the last dry run said

const marks = sets(at.sets, tell);

function complain(reason) {
  at.alert.textContent = reason;
  at.alert.hidden = !reason;
}

const words = (error) => (error instanceof Refused ? error.message : `Something went wrong: ${error.message}`);

/** Look for groups at a threshold; until they are found, show how far that is. */
async function look() {
  const mine = (turn += 1);
  complain("");
  marks.clear();
  at.more.hidden = at.keys.hidden = at.tray.hidden = true;
  at.summary.textContent = "";
  try {
    for (;;) {
      const answer = await server.groups(asked, 0, PAGE);
      if (mine !== turn) return;
      if (usual === null) begin(answer.usual);
      if (answer.ready) return show(answer);
      at.working.hidden = false;
      if (answer.total) at.progress.value = answer.done / answer.total;
      at.stage.textContent = answer.total
        ? `Comparing the images: ${answer.done.toLocaleString("en")} of ${answer.total.toLocaleString("en")}`
        : "Comparing the images";
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
      if (mine !== turn) return;
    }
  } catch (error) {
    if (mine !== turn) return;
    at.working.hidden = true;
    complain(words(error));
  }
}

function show(answer) {
  found = answer;
  at.working.hidden = true;
  at.summary.textContent = answer.group_count
    ? `${count(answer.group_count, "group")}, ${count(answer.copies, "copy", "copies")} of ${size(answer.bytes)}`
    : "No duplicates at this setting";
  at.status.textContent = at.summary.textContent;
  at.keys.hidden = !answer.group_count;
  append(answer);
}

function append(answer) {
  marks.add(answer.groups);
  at.more.hidden = marks.groups >= answer.group_count;
  tell();
}

async function more() {
  const mine = turn;
  at.more.disabled = true;
  try {
    const answer = await server.groups(asked, marks.groups, PAGE);
    if (mine === turn) append(answer);
  } catch (error) {
    complain(words(error));
  } finally {
    at.more.disabled = false;
  }
}

/** Say what is marked, of the groups on show. */
function tell() {
  const going = marks.going();
  const bytes = going.reduce((sum, copy) => sum + copy.bytes, 0);
  at.tray.hidden = marks.groups === 0;
  at.marked.textContent = going.length
    ? `${count(going.length, "picture")} to remove, ${size(bytes)}${marks.groups < found.group_count ? " (of the groups shown)" : ""}`
    : "Nothing marked to remove";
  at.review.disabled = going.length === 0 || !admin;
  at.review.title = admin ? "" : "Only an admin's key may remove files";
}

const count = (number, one, many = `${one}s`) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

/** The dry run: exactly what would go; and a second word before it goes. */
async function ask() {
  complain("");
  try {
    plan = await server.remove(marks.going().map((copy) => copy.image), null);
    at.asking.textContent = `Remove ${count(plan.files.length, "file")}, ${size(plan.bytes)}?`;
    at.files.replaceChildren(...plan.files.map((file) => line(file.image, size(file.bytes))));
    at.stay.hidden = plan.refused.length === 0;
    at.stay.textContent = plan.refused.map((one) => `${one.image} stays: ${one.reason}.`).join(" ");
    at.seen.checked = false;
    at.seen.disabled = plan.confirm === null;
    at.confirm.disabled = true;
    at.sure.showModal();
    at.asking.focus();
  } catch (error) {
    complain(words(error));
  }
}

function line(...texts) {
  const item = document.createElement("li");
  item.append(...texts.map((text) => Object.assign(document.createElement("span"), { textContent: text })));
  return item;
}

async function remove() {
  const { files, confirm } = plan;
  at.confirm.disabled = true;
  try {
    await server.remove(files.map((file) => file.image), confirm);
    at.sure.close();
    at.status.textContent = `${count(files.length, "file")} moved to the trash`;
    await trash();
    await look();
  } catch (error) {
    at.stay.hidden = false;
    at.stay.textContent = words(error);
  }
}

/** What can be put back. */
async function trash() {
  if (!admin) return;
  const { removals } = await server.trash().catch(() => ({ removals: [] }));
  at.trash.hidden = removals.length === 0;
  at.removals.replaceChildren(...removals.map((one) => {
    const bytes = one.files.reduce((sum, file) => sum + file.bytes, 0);
    const when = new Date(one.removed_at * 1000).toLocaleString();
    const item = line(`${count(one.files.length, "file")}, ${size(bytes)}, ${when}${one.by ? `, by ${one.by}` : ""}`);
    const button = Object.assign(document.createElement("button"), { type: "button", className: "plain", textContent: "Put back" });
    button.addEventListener("click", () => back(one.id, button));
    item.append(button);
    return item;
  }));
}

async function back(id, button) {
  button.disabled = true;
  try {
    const { images } = await server.putBack(id);
    at.status.textContent = `${count(images.length, "file")} put back`;
    await trash();
    at.title.focus();
    await look();
  } catch (error) {
    button.disabled = false;
    complain(words(error));
  }
}

/** The slider: its middle is the usual threshold. */
function begin(threshold) {
  usual = threshold;
  mean();
}

const chosen = () => Number(((Number(at.threshold.value) / 50) * (REACH / 2) * usual).toFixed(5));

function mean() {
  if (usual === null) return;
  at.value.textContent = `distance ${chosen().toFixed(3)}`;
  at.meaning.textContent = describe(Number(at.threshold.value));
  at.threshold.setAttribute("aria-valuetext", `${at.value.textContent}. ${at.meaning.textContent}`);
}

function change() {
  if (usual === null) return undefined;
  asked = { threshold: at.threshold.value === "50" ? null : chosen(), mirrored: at.mirrored.checked };
  return look();
}

async function save(format) {
  const { keep, remove: going } = marks.said();
  try {
    const blob = await server.list({ ...asked, keep, remove: going, format });
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: `duplicates.${format}` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  } catch (error) {
    complain(words(error));
  }
}

async function enter() {
  const { keys_wanted: wanted, role } = await session().catch(() => ({}));
  admin = !wanted || role === "admin";
  trash();
  const { images, encoder } = await health().catch(() => ({}));
  if (images !== undefined) at.served.textContent = `${count(images, "image")} · ${encoder.split("/").at(-1)}`;
  if (found) tell();
}

at.threshold.addEventListener("input", mean);
at.threshold.addEventListener("change", change);
at.mirrored.addEventListener("change", change);
at.dial.addEventListener("submit", (event) => event.preventDefault());
at.more.addEventListener("click", more);
at.csv.addEventListener("click", () => save("csv"));
at.json.addEventListener("click", () => save("json"));
at.review.addEventListener("click", ask);
at.cancel.addEventListener("click", () => at.sure.close());
at.seen.addEventListener("change", () => (at.confirm.disabled = !at.seen.checked));
at.confirm.addEventListener("click", remove);
at.sure.addEventListener("close", () => at.review.focus());
look();
enter();
