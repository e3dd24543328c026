// The REST API of this server, and nothing of any other.

const API = "/api/v1";

/** What the server refused, in its own words. */
export class Refused extends Error {}

async function answer(path, options) {
  let response;
  try {
    response = await fetch(API + path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The server does not answer. Is “lookalike serve” still running?");
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(body.error ?? `The server answered ${response.status}.`);
  return body;
}

export const health = () => answer("/health");

export const images = (after, limit) =>
  answer(`/images?${new URLSearchParams({ after, limit })}`);

/** `image` is a File, or the path of an image of the collection. */
export function search(image, k, signal) {
  const form = new FormData();
  if (image instanceof Blob) form.append("image", image, image.name || "pasted picture");
  else form.append("image", image);
  form.append("k", k);
  return answer("/search", { method: "POST", body: form, signal });
}

export const thumbnail = (image) =>
  `${API}/thumbnails/${image.split("/").map(encodeURIComponent).join("/")}`;
