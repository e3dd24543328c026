// What the colour of a place on the map says: a kind, or a share.

const KINDS = ["#b8451c", "#2f6f8f", "#6a8f2f", "#8f5fa8", "#c28f1e", "#3f8f7a", "#d0628a", "#5a6472", "#e08a5a", "#4f7fd0", "#9fb86a", "#7a4f2f"];
const LOW = [47, 111, 143];
const MIDDLE = [214, 203, 178];
const HIGH = [184, 69, 28];
export const NONE = "#9a968f";

/** What can be chosen: `[{id, label, of}]`; `of()` gives `{values, shares}`, a kind or a share of each place. */
export function colourings({ images, contexts, agreement, kinds, ensembles }) {
  const found = [];
  const folders = images.map((image) => (image.includes("/") ? image.slice(0, image.lastIndexOf("/")) : "·"));
  if (contexts.some((one) => one !== null)) found.push({ id: "context", label: "by context", of: () => ({ values: contexts }) });
  if (new Set(folders).size > 1 || !found.length) found.push({ id: "folder", label: "by folder", of: () => ({ values: folders }) });
  const models = Object.keys(agreement);
  const single = models.filter((one) => !kinds[one].startsWith("ensemble"));
  if (single.length > 1) found.push({ id: "best", label: "by best model", of: () => ({ values: bestOf(agreement, single, images.length) }) });
  for (const model of models) found.push({ id: `accuracy ${model}`, label: `accuracy of ${model}`, of: () => ({ values: agreement[model], shares: [0, 1] }) });
  for (const [name, { members, weights }] of Object.entries(ensembles)) {
    members.forEach((member, number) => {
      const most = Math.max(...weights[number], 0.001);
      found.push({ id: `weight ${name} ${member}`, label: `weight of ${member} in ${name}`, of: () => ({ values: weights[number], shares: [0, most] }) });
    });
  }
  return found;
}

/** The colour of each place, and for kinds the list of them, the most frequent first. */
export function painted({ values, shares }) {
  if (shares) {
    const [low, high] = shares;
    return { colours: values.map((value) => (value === null ? NONE : ramp((value - low) / (high - low || 1)))), kinds: null, shares };
  }
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const order = [...counts.keys()].filter((one) => one !== null).sort((a, b) => counts.get(b) - counts.get(a) || (a < b ? -1 : 1));
  const colourOf = new Map(order.map((one, number) => [one, KINDS[number] ?? NONE]));
  const kinds = order.map((name) => ({ name, colour: colourOf.get(name), count: counts.get(name) }));
  return { colours: values.map((value) => colourOf.get(value) ?? NONE), kinds, values };
}

/** The model that agrees best about each place; of equals the first, which is the better one overall. */
function bestOf(agreement, models, count) {
  return Array.from({ length: count }, (_, place) => {
    let best = null;
    for (const model of models) {
      const share = agreement[model][place];
      if (share !== null && (best === null || share > agreement[best][place])) best = model;
    }
    return best;
  });
}

/** In 24 steps: what has one colour is drawn at once. */
function ramp(share) {
  const at = Math.round(24 * Math.min(1, Math.max(0, share))) / 12;
  const [from, to] = at < 1 ? [LOW, MIDDLE] : [MIDDLE, HIGH];
  const mixed = from.map((one, number) => Math.round(one + (to[number] - one) * (at < 1 ? at : at - 1)));
  return `rgb(${mixed.join(" ")})`;
}
