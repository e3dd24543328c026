// What was answered and has not reached the server: kept in the browser until the server says that it is on its disk.
// Every act has an id, and the server stores an id once: sending twice, from two tabs or after a lost reply, does no harm.

import { post } from "./api.js";

const WAITING = "lookalike.waiting.";
const REFUSED = "lookalike.refused.";
const PASSES = new Set([401, 408, 429]);
const BATCH = 100;
const FIRST_PAUSE = 1000;
const LONGEST_PAUSE = 20000;

const barred = new Set(); // annotators for whom the key at hand may not answer: theirs wait, and hold up nobody else's
const unkept = new Map(); // where the browser keeps nothing (full, or private)
let count = 0;
let sending = false;
let pause = FIRST_PAUSE;
let timer = null;
let offline = false; // whether the last attempt failed
let tell = () => {};

/** Call `told({waiting, refused, reason, offline, kept})` whenever something changes, and send what an earlier page left. */
export function open(told) {
  tell = told;
  addEventListener("online", again);
  addEventListener("storage", () => report());
  addEventListener("beforeunload", (event) => unkept.size && event.preventDefault());
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && again());
  report();
  again();
}

/** Keep an act, `{path: "/label/answers" | "/label/undo", annotator, item}`, and send it soon. */
export function put(act) {
  count += 1;
  const name = WAITING + [Date.now(), String(count).padStart(6, "0"), mark()].join(".");
  try {
    localStorage.setItem(name, JSON.stringify(act));
  } catch {
    unkept.set(name, JSON.stringify(act));
  }
  report();
  if (timer === null || barred.size) send();
}

/** How many acts wait. */
export const waiting = () => entries(WAITING).length;

/** Forget what the server refused. */
export function discard() {
  entries(REFUSED).forEach(([name]) => remove(name));
  report();
}

/** 128 bits by chance, in hexadecimal. (`crypto.randomUUID` is missing where the page does not come by HTTPS.) */
export const mark = () =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

function again() {
  clearTimeout(timer);
  timer = null;
  barred.clear();
  send();
}

async function send() {
  if (sending) return;
  sending = true;
  try {
    for (let batch = next(BATCH); batch.length; batch = next(BATCH)) await deliver(batch);
    if (barred.size) throw new Error("another key may");
    pause = FIRST_PAUSE;
    offline = false;
    report();
  } catch {
    offline = true;
    report();
    clearTimeout(timer);
    timer = setTimeout(again, pause);
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  } finally {
    sending = false;
  }
}

/** The oldest acts that go to one place. */
function next(most) {
  const all = entries(WAITING).filter(([, act]) => !barred.has(act.annotator));
  const same = all.findIndex(([, act]) => act.path !== all[0][1].path || act.annotator !== all[0][1].annotator);
  return all.slice(0, Math.min(most, same < 0 ? all.length : same));
}

async function deliver(batch) {
  const [{ path, annotator }] = [batch[0][1]];
  const field = path.endsWith("undo") ? "ids" : "answers";
  try {
    await post(path, { annotator, [field]: batch.map(([, act]) => act.item) });
    batch.forEach(([name]) => remove(name));
    offline = false;
    return report();
  } catch (error) {
    // The server's trouble passes, and so does a key that is missing; what else it refuses it will always refuse. One that
    // is wrong must not keep the others back.
    if (error.status === 403) return barred.add(batch[0][1].annotator);
    if (!(error.status >= 400 && error.status < 500) || PASSES.has(error.status)) throw error;
    if (batch.length === 1) return setAside(...batch[0], error.message);
    for (const one of batch) await deliver([one]);
    return undefined;
  }
}

function setAside(name, act, reason) {
  remove(name);
  try {
    localStorage.setItem(REFUSED + name.slice(WAITING.length), JSON.stringify({ ...act, reason }));
  } catch {
    unkept.set(REFUSED + name.slice(WAITING.length), JSON.stringify({ ...act, reason }));
  }
}

function remove(name) {
  unkept.delete(name);
  try {
    localStorage.removeItem(name);
  } catch { /* nothing was kept there */ }
}

function report() {
  const refused = entries(REFUSED);
  tell({
    waiting: entries(WAITING).length, refused: refused.length, reason: refused[0]?.[1].reason, offline, kept: !unkept.size,
  });
}

/** `[name, act]` of what is kept under a prefix, oldest first. */
function entries(prefix) {
  const found = [...unkept].filter(([name]) => name.startsWith(prefix));
  try {
    const names = Object.keys(localStorage).filter((name) => name.startsWith(prefix));
    found.push(...names.map((name) => [name, localStorage.getItem(name)]));
  } catch { /* the browser keeps nothing */ }
  return found.filter(([, text]) => text).sort().map(([name, text]) => [name, JSON.parse(text)]);
}
