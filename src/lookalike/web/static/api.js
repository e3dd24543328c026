// The REST API of this server, and nothing of any other.

const API = "/api/v1";

/** What the server refused, in its own words; the status is 0 where it did not answer. */
export class Refused extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

async function answer(path, options) {
  let response;
  try {
    response = await fetch(API + path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The server does not answer. Is lookalike still running?");
  }
  const body = await response.json().catch(() => ({}));
  if (response.status === 401 && path !== "/session") signIn();
  if (!response.ok) throw new Refused(body.error ?? `The server answered ${response.status}.`, response.status);
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

/** `image` is a File, or the path of an image of the collection; `like` and `unlike` are further paths. */
export function search({ image, like, unlike, where }, k, offset, signal) {
  const form = new FormData();
  if (image instanceof Blob) form.append("image", image, image.name || "pasted picture");
  else form.append("image", image);
  like.forEach((path) => form.append("like", path));
  unlike.forEach((path) => form.append("unlike", path));
  if (where) form.append("where", where);
  form.append("k", k);
  form.append("offset", offset);
  return answer("/search", { method: "POST", body: form, signal });
}

export const thumbnail = (image) => `${API}/thumbnails/${escaped(image)}`;

export const labelPicture = (image) => `${API}/label/pictures/${escaped(image)}`;

/** The next questions for an annotator, about 2 or 3 candidates. */
export const questions = (annotator, count, candidates) =>
  answer(`/label/questions?${new URLSearchParams({ annotator, count, candidates })}`);

export const progress = (annotator) => answer(`/label/progress?${new URLSearchParams({ annotator })}`);

/** Send JSON; a page that is left meanwhile does not stop it, unless it is more than browsers carry on with. */
export function post(path, body) {
  const text = JSON.stringify(body);
  const headers = { "Content-Type": "application/json" };
  return answer(path, { method: "POST", body: text, headers, keepalive: text.length < 16000 });
}

const escaped = (image) => image.split("/").map(encodeURIComponent).join("/");
