// Why an image was found: the models that count here, and the regions of both pictures that matter.

import * as api from "./api.js";
import { percent } from "./by.js";
import { draw, light, loaded, where } from "./pictures.js";

const NOTHING = () => {};

/** Make the dialog work; returns `open(query, source, image, than)`, where `than` is the path of another result. */
export function reasons(at) {
  let shown = { stop: NOTHING };

  async function open(query, source, image, than) {
    shown.stop();
    const running = new AbortController();
    shown = { stop: () => running.abort(), pictures: [null, null], maps: [null, null], box: query.box };
    const mine = shown;
    at.trouble.hidden = true;
    at.facts.textContent = at.working.textContent = "";
    at.parts.replaceChildren();
    at.models.hidden = true;
    at.other.textContent = at.other.title = image;
    [at.left, at.right].forEach((canvas) => { canvas.width = canvas.height = 1; });
    at.why.showModal();
    try {
      const both = [loaded(source), loaded(api.picture(image))].map((picture) => picture.catch(() => null));
      Promise.all(both).then((pictures) => { mine.pictures = pictures; paint(mine); });
      const asked = { found: image, than };
      tell(await api.explain(query, asked, running.signal), image);
      at.working.textContent = "looking…";
      const { query_map: left, image_map: right } = await api.explain(query, { ...asked, maps: true }, running.signal);
      mine.maps = [left, right];
      at.working.textContent = left ? "" : "in what was found: several pictures were searched for";
      paint(mine);
    } catch (error) {
      if (running.signal.aborted) return;
      at.working.textContent = "";
      at.trouble.textContent = error.message;
      at.trouble.hidden = false;
    }
  }

  function paint(mine) {
    if (mine !== shown) return;
    const names = ["Searched for", "Found"];
    [at.left, at.right].forEach((canvas, side) => {
      const [picture, map] = [mine.pictures[side], mine.maps[side]];
      if (picture) draw(canvas, picture, side ? "" : mine.box);
      if (picture && map && at.regions.checked) light(canvas, map);
      canvas.setAttribute("aria-label", names[side] + (map ? `; ${where(map)} matters most` : ""));
    });
  }

  function tell({ distance, models, than }, image) {
    const facts = [`Distance ${distance.toFixed(3)}.`];
    if (than && than.probability !== null) {
      facts.push(`Closer than ${name(than.image)}, at ${than.distance.toFixed(3)}: with probability ${percent(than.probability)}.`);
    }
    at.facts.textContent = facts.join(" ");
    at.reason.textContent = `Why ${name(image)}`;
    at.models.hidden = models.length < 2;
    at.parts.replaceChildren(...[...models].sort((one, other) => other.weight - one.weight).map(row));
  }

  at.regions.addEventListener("change", () => paint(shown));
  at.why.addEventListener("close", () => shown.stop());
  at.why.addEventListener("click", (event) => event.target === at.why && at.why.close()); // beside it
  return open;
}

function row({ model, weight, distance, share }) {
  const made = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = model;
  made.append(head, bar(weight), plain(distance.toFixed(3)), bar(share));
  return made;
}

/** A cell with a number, and a bar as long as it says. */
export function bar(share) {
  const cell = plain(percent(share));
  const line = document.createElement("span");
  line.style.width = `${100 * share}%`;
  cell.className = "level";
  cell.append(line);
  return cell;
}

function plain(text) {
  const cell = document.createElement("td");
  cell.textContent = text;
  return cell;
}

const name = (path) => path.split("/").at(-1);
