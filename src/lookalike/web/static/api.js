// The REST API of this server, and nothing of any other.

const API = "/api/v1";

/** What the server refused, in its own words; the status is 0 where it did not answer. */
export class Refused extends Error {
  constructor(message, status = 0, again = 0) {
    super(message);
    this.status = status;
    this.again = again; // after so many seconds the answer may be another one
  }
}

export async function answer(path, options) {
  let response;
  try {
    response = await fetch(API + path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The server does not answer. Is lookalike still running?");
  }
  const body = await response.json().catch(() => ({}));
  if (response.status === 401 && path !== "/session") signIn();
  if (!response.ok) {
    const again = Number(response.headers.get("Retry-After")) || 0;
    throw new Refused(body.error ?? `The server answered ${response.status}.`, response.status, again);
  }
  return body;
}

/** Go and ask for a key; the page comes back afterwards. */
function signIn() {
  const here = location.pathname + location.search + location.hash;
  location.assign(`/signin?${new URLSearchParams({ next: here })}`);
}

/** Whether the server wants keys, and who is signed in. */
export const session = () => answer("/session");

export const signOut = () => answer("/session", { method: "DELETE" });

export const health = () => answer("/health");

export const images = (after, limit) =>
  answer(`/images?${new URLSearchParams({ after, limit })}`);

/** What the collection can be searched by. */
export const models = async () => (await answer("/models")).models;

/** `image` is a File, or the path of an image of the collection; `like` and `unlike` are further paths. */
export function search(query, k, offset, signal) {
  const form = asked(query);
  form.append("k", k);
  form.append("offset", offset);
  return answer("/search", { method: "POST", body: form, signal });
}

/** Why `found` was found, how it stands to `than`, and with `maps` which regions matter. */
export function explain(query, { found, than, maps }, signal) {
  const form = asked(query);
  form.append("found", found);
  if (than) form.append("than", than);
  if (maps) form.append("maps", "true");
  return answer("/explain", { method: "POST", body: form, signal });
}

/** Which of `a` and `b` is closer to `r`, by all there is; each is a File, or the path of an image of the collection. */
export function compare({ r, a, b }, signal) {
  const form = new FormData();
  Object.entries({ reference: r, a, b }).forEach(([name, image]) => append(form, name, image));
  form.append("every", "true");
  return answer("/compare", { method: "POST", body: form, signal });
}

function append(form, name, image) {
  if (image instanceof Blob) form.append(name, image, image.name || "pasted picture");
  else form.append(name, image);
}

function asked({ image, like, unlike, ...texts }) {
  const form = new FormData();
  append(form, "image", image);
  like.forEach((path) => form.append("like", path));
  unlike.forEach((path) => form.append("unlike", path));
  Object.entries(texts).forEach(([name, text]) => text && form.append(name, text));
  return form;
}

export const thumbnail = (image) => `${API}/thumbnails/${escaped(image)}`;

/** Many thumbnails as one picture of square cells, eight in a row: its content, and which cells are empty. */
export async function sheet(images, side) {
  const headers = { "Content-Type": "application/json" };
  const response = await fetch(`${API}/sheet`, { method: "POST", body: JSON.stringify({ images, side }), headers });
  if (!response.ok) throw new Refused(`The server answered ${response.status}.`, response.status);
  const absent = (response.headers.get("X-Absent") ?? "").split(" ").filter(Boolean).map(Number);
  return { content: await response.blob(), absent };
}

/** Larger than a thumbnail. */
export const picture = (image) => `${API}/pictures/${escaped(image)}`;

export const labelPicture = (image) => `${API}/label/pictures/${escaped(image)}`;

/** The next questions for an annotator, about 2 or 3 candidates. */
export const questions = (annotator, count, candidates) =>
  answer(`/label/questions?${new URLSearchParams({ annotator, count, candidates })}`);

export const progress = (annotator) => answer(`/label/progress?${new URLSearchParams({ annotator })}`);

/** How often encoders and models agree with an annotator, and with everyone. */
export const accuracy = (annotator) => answer(`/label/accuracy?${new URLSearchParams({ annotator })}`);

export const leaderboard = () => answer("/leaderboard");

/** The newest runs; with `before`, those older than the run of that id. */
export const runs = (before, limit) => answer(`/runs?${new URLSearchParams({ before, limit })}`);

export const run = (id) => answer(`/runs/${encodeURIComponent(id)}`);

export const jobs = () => answer("/jobs");

/** What may be chosen for jobs. */
export const choices = () => answer("/jobs/choices");

export const startJob = (task) => post("/jobs", task);

export const cancelJob = (id) => answer(`/jobs/${encodeURIComponent(id)}`, { method: "DELETE" });

export const map = () => answer("/map");

export const nameContext = (name, images) => post("/map/contexts", { name, images });

export const forgetContext = (name) => answer(`/map/contexts/${encodeURIComponent(name)}`, { method: "DELETE" });

/** The address of the server-sent events of a job. */
export const jobEvents = (id) => `${API}/jobs/${encodeURIComponent(id)}/events`;

/** Send JSON; a page that is left meanwhile does not stop it, unless it is more than browsers carry on with. */
export function post(path, body) {
  const text = JSON.stringify(body);
  const headers = { "Content-Type": "application/json" };
  return answer(path, { method: "POST", body: text, headers, keepalive: text.length < 16000 });
}

const escaped = (image) => image.split("/").map(encodeURIComponent).join("/");
