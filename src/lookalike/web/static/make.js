// Elements in one expression.

/** An element with properties (`dataset` and `aria-…` among them) and children: elements, texts; null is left out. */
export function make(tag, properties = {}, ...children) {
  const made = tag.startsWith("svg:")
    ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4))
    : document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (name === "dataset") Object.assign(made.dataset, value);
    else if (name in made && !(made instanceof SVGElement)) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** A share as a percentage. */
export const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)}%`;

/** When something was, shortly; `at` is anything that Date reads. */
export const when = (at) => new Date(at).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" });

/** A time span in words. */
export function span(seconds) {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
