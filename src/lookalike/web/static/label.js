// The labelling page: who answers, then question after question; what is answered goes into the outbox at once.

import { Agreement } from "./agreement.js";
import { progress, session } from "./api.js";
import * as outbox from "./outbox.js";
import { Ranking } from "./ranking.js";
import { figures, Tally } from "./tally.js";
import { Supply } from "./supply.js";

const LONGEST = 300; // seconds; whoever takes longer was elsewhere
const RENEW = 25; // answers after which the server is asked for the standing

const at = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));
const buttons = [at.a, at.b, at.c];
const grades = [...at.grades.querySelectorAll("button")];
const address = new URLSearchParams(location.search);
const agreement = new Agreement(at);

let annotator = "";
let supply = null;
let tally = null;
let current = null; // {question, pictures}
let ranking = null; // where three are ranked
let shown = null; // when the question was on the screen; null while it is not
let past = []; // [{id, prepared, counted}], the latest last
let turn = 0; // counts what was put on show: a question that arrives late must not replace another
let outdated = false; // whether the tally should be renewed

function view(name) {
  document.body.dataset.view = name;
  for (const each of ["intro", "ask", "end"]) at[each].hidden = each !== name;
  at.help.hidden = name === "intro";
  if (name === "intro") standing();
}

function complain(reason) {
  at.alert.textContent = reason;
  at.alert.hidden = !reason;
}

function begin() {
  const name = at.name.value.trim();
  const candidates = Number(at.begin.elements.candidates.value);
  if (!name) return undefined;
  if (supply && name === annotator && String(candidates) === at.ask.dataset.candidates) return goOn();
  annotator = name;
  supply?.close();
  supply = new Supply(annotator, candidates);
  tally = new Tally(at, annotator);
  past = [];
  at.c.hidden = candidates < 3;
  at.ask.dataset.candidates = candidates;
  buttons.forEach((button, place) => {
    button.querySelector("kbd").textContent = candidates === 3 ? place + 1 : "←→"[place];
  });
  history.replaceState(null, "", `?${new URLSearchParams({ annotator, candidates })}`);
  remember("lookalike.seen", annotator);
  view("ask");
  renew();
  agreement.begin(annotator);
  return next();
}

/** Back from the instructions. */
function goOn() {
  view(current ? "ask" : "end");
  if (shown !== null) shown = -Infinity; // time away is not time spent on the question
  at.question.focus();
}

/** Show the next question: at once where it is ready, and that is nearly always. */
async function next(since = performance.now()) {
  const [asking, mine] = [supply, (turn += 1)];
  current = shown = null;
  let prepared = asking.take();
  if (!prepared) {
    document.body.classList.add("busy");
    prepared = await asking.wait((trouble) => mine === turn && complain(trouble.message));
    if (asking === supply) document.body.classList.remove("busy");
    if (mine !== turn) return prepared && asking.giveBack(prepared);
  }
  complain("");
  return prepared ? show(prepared, since) : view("end");
}

function show(prepared, since) {
  current = prepared;
  ranking = prepared.question.candidates.length === 3 ? new Ranking() : null;
  const [reference, ...candidates] = prepared.pictures;
  at.reference.replaceChildren(reference);
  candidates.forEach((picture, place) => buttons[place].querySelector(".frame").replaceChildren(picture));
  reface();
  announce(`Question ${tally.answers + 1}`);
  requestAnimationFrame(() => setTimeout(() => {
    if (current !== prepared) return;
    shown = performance.now();
    performance.measure("next question", { start: since, end: shown });
  }));
}

/** Draw how far a ranking is; a choice between two has one face only. */
function reface() {
  at.question.textContent = ranking?.prompt ?? "Which looks more like this?";
  const focused = document.activeElement;
  at.grades.hidden = !ranking;
  at.grades.inert = !ranking?.ordered; // its place is kept, so that nothing jumps
  at.undo.disabled = past.length === 0 && !ranking?.order.length;
  buttons.forEach((button, place) => {
    const rank = ranking?.order.indexOf(place) ?? -1;
    const letter = "ABC"[place];
    button.disabled = Boolean(ranking?.ordered);
    button.dataset.rank = rank < 0 ? "" : rank + 1;
    button.classList.toggle("graded", ranking?.graded === place);
    button.querySelector("b").textContent = rank < 0 ? letter : `${rank + 1}.`;
    const grade = ranking?.grades[rank];
    button.setAttribute("aria-label", [letter, rank < 0 ? "" : `rank ${rank + 1}`, grade ? `grade ${grade}` : ""].filter(Boolean).join(", "));
  });
  grades.forEach((button) => (button.disabled = !ranking?.ordered || Number(button.value) < ranking.least));
  // Whoever goes from button to button by keys is not thrown out when one of them goes.
  if (buttons.includes(focused) && focused.disabled) grades.find((button) => !button.disabled).focus();
  if (grades.includes(focused) && !ranking?.ordered) at.a.focus();
}

/** A candidate was chosen, by its place. */
function choose(place, since) {
  if (shown === null || buttons[place].hidden) return;
  if (!ranking) {
    const [a, b] = current.question.candidates;
    give({ kind: "judgment", a, b, choice: "ab"[place] }, since, buttons[place]);
  } else if (ranking.choose(place)) reface();
}

function grade(value, since) {
  if (shown === null || !ranking?.grade(value)) return;
  reface();
  if (!ranking.done) return;
  const { candidates } = current.question;
  const order = ranking.order.map((place) => candidates[place]);
  give({ kind: "ranking", candidates, ranking: order, grades: ranking.grades }, since);
}

function skip(since) {
  if (shown === null) return;
  put({ kind: "skip", reference: current.question.reference, candidates: current.question.candidates });
  next(since);
}

function give(said, since, button) {
  const seconds = (since - shown) / 1000;
  const { reference, context, trial } = current.question;
  const response_seconds = seconds > 0 && seconds < LONGEST ? Number(seconds.toFixed(3)) : null;
  put({ ...said, reference, context, trial, answered_at: Date.now() / 1000, response_seconds });
  tally.add(response_seconds);
  if (tally.answers % RENEW === 0) renew();
  button?.querySelector("b").animate([{ scale: 1.35 }, { scale: 1 }], { duration: still() ? 0 : 220, easing: "ease-out" });
  next(since);
}

function put(item) {
  const id = outbox.mark();
  past.push({ id, prepared: current, counted: item.kind !== "skip" });
  outbox.put({ path: "/label/answers", annotator, item: { id, ...item } });
}

/** Take back the last step of a ranking, or else the last answer: its question is asked again. */
function undo() {
  if (ranking && shown !== null && ranking.back()) return reface();
  const last = past.pop();
  if (!last) return undefined;
  if (last.counted) tally.takeBack();
  outbox.put({ path: "/label/undo", annotator, item: last.id });
  if (current) supply.giveBack(current);
  turn += 1;
  view("ask");
  return show(last.prepared, performance.now());
}

/** Take over what the server counts: while nothing is on its way, or else once all has arrived. */
async function renew() {
  const [asking, counted] = [tally, tally.answers];
  outdated = outbox.waiting() > 0;
  if (outdated) return;
  try {
    const found = await progress(annotator);
    if (asking === tally && asking.answers === counted) asking.renew(found);
    else outdated = true;
  } catch { /* the outbox says that the server is away */ }
}

function announce(text) {
  at.status.textContent = text;
}

async function standing() {
  at.standing.hidden = true;
  const name = at.name.value.trim();
  if (!name) return;
  try {
    const found = await progress(name);
    at.figures.replaceChildren(...figures(found));
    at.standing.hidden = found.everyone === 0;
  } catch { /* nothing to show then */ }
}

/** Say what has not reached the server. */
function report({ waiting, refused, reason, offline, kept }) {
  const answers = (count) => `${count} ${count === 1 ? "answer" : "answers"}`;
  const away = offline || (waiting > 0 && !navigator.onLine);
  const state = waiting === 0 ? "saved" : away ? "offline" : "sending";
  at.refused.hidden = refused === 0;
  at.refusal.textContent = `${answers(refused)} could not be stored: ${reason}`;
  const text = { saved: "All answers saved", sending: "Saving", offline: `${waiting} not sent yet` }[state];
  const before = at.saved.dataset.state;
  // Only trouble is worth a word, and its end.
  if (state === "offline" && before !== state) announce("The server is away. Your answers are kept in this browser.");
  if (state === "saved" && before === "offline") announce(text);
  at.saved.hidden = false;
  at.saved.dataset.state = state;
  at.saved.textContent = text;
  at.saved.title = state !== "offline" ? "" : kept
    ? "Kept in this browser, and sent as soon as the server answers"
    : "This browser keeps nothing: leave the page open until all is sent";
  if (state === "saved") agreement.renew();
  if (state === "saved" && outdated) renew();
}

function press(event) {
  if (document.body.dataset.view === "intro" || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.key.length === 1 && !at.letters.checked) return;
  const done = perform(key, event.timeStamp);
  if (done) event.preventDefault();
}

/** Do what a key stands for; false where it stands for nothing. */
function perform(key, since) {
  const three = at.ask.dataset.candidates === "3";
  if (ranking?.ordered && "12345".includes(key)) return grade(Number(key), since), true;
  const place = (three ? ["1", "2", "3"] : ["ArrowLeft", "ArrowRight"]).indexOf(key);
  if (place >= 0) return choose(place, since), true;
  if ("abc".includes(key)) return choose("abc".indexOf(key), since), true;
  if (key === "s" || key === "ArrowDown") return skip(since), true;
  if (key === "u" || key === "Backspace") return undo(), true;
  if (key === "m" && !at.agreement.hidden) return (at.agreement.open = !at.agreement.open), true;
  if (key === "Escape" && at.agreement.open) return (at.agreement.open = false), true;
  return false;
}

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

function remember(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch { /* it is asked again then */ }
}

function remembered(name) {
  try {
    return localStorage.getItem(name) ?? "";
  } catch {
    return "";
  }
}

buttons.forEach((button, place) => button.addEventListener("click", (event) => choose(place, event.timeStamp)));
grades.forEach((button) => button.addEventListener("click", (event) => grade(Number(button.value), event.timeStamp)));
at.skip.addEventListener("click", (event) => skip(event.timeStamp));
for (const button of [at.undo, at.last]) button.addEventListener("click", undo);
at.discard.addEventListener("click", outbox.discard);
at.help.addEventListener("click", () => (view("intro"), at.go.replaceChildren("Go on"), at.title.focus()));
at.begin.addEventListener("submit", (event) => (event.preventDefault(), begin()));
at.name.addEventListener("change", standing);
at.letters.addEventListener("change", () => remember("lookalike.letters", at.letters.checked ? "" : "off"));
document.addEventListener("keydown", press);
// Time away from the page is not time spent on a question.
document.addEventListener("visibilitychange", () => shown !== null && (shown = document.hidden ? -Infinity : shown));

/** Whose answers these are: an annotator's key says so itself; otherwise the link, or whoever was here last. */
async function enter() {
  at.name.value = address.get("annotator") ?? remembered("lookalike.seen");
  const { name, role } = await session().catch(() => ({}));
  if (role === "annotator") [at.name.value, at.name.readOnly] = [name, true];
  // A link with a name leads straight to the questions, for whoever has read the instructions.
  if (annotator) return; // somebody was quicker
  if (address.get("annotator") && remembered("lookalike.seen") === at.name.value.trim()) begin();
  else standing();
}

at.letters.checked = remembered("lookalike.letters") !== "off";
if (address.get("candidates") === "3") at.begin.elements.candidates.value = "3";
outbox.open(report);
enter();
