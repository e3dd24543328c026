// The routes of the duplicates page.

import { answer, Refused } from "./api.js";

const PATH = "/duplicates";

export function groups({ threshold, mirrored }, offset, limit) {
  const query = new URLSearchParams({ mirrored, offset, limit });
  if (threshold !== null) query.set("threshold", threshold);
  return answer(`${PATH}?${query}`);
}

const send = (path, body) =>
  answer(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });

/** Without a confirmation this is the dry run. */
export const remove = (images, confirm) => send(`${PATH}/trash`, { images, confirm });

export const trash = () => answer(`${PATH}/trash`);

export const putBack = (id) => send(`${PATH}/trash/back`, { id });

/** The list of marks as a file. */
export async function list(body) {
  const response = await fetch(`/api/v1${PATH}/list`, {
    method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" },
  });
  if (response.ok) return response.blob();
  const { error } = await response.json().catch(() => ({}));
  throw new Refused(error ?? `The server answered ${response.status}.`, response.status);
}
