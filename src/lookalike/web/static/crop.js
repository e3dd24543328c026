// A box on a picture: dragged, moved by keys, or typed.

import { edgesOf } from "./pictures.js";

const LEAST = 0.05;
const STEP = 0.02;
const MOVES = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };

/** Make the dialog work; calls `take(box)` with `left,top,right,bottom`, or nothing for the whole picture. */
export function cropper(at, take) {
  let edges = [0, 0, 1, 1];
  let drag = null;

  function open(source, box) {
    at.whole.src = source;
    set(box ? edgesOf(box) : [0.2, 0.2, 0.8, 0.8]);
    at.crop.showModal();
    at.box.focus();
  }

  /** Take new edges, typed ones as they are. */
  function set(given, typed = false) {
    edges = given;
    const [left, top, right, bottom] = edges;
    Object.assign(at.box.style, {
      left: `${100 * left}%`, top: `${100 * top}%`, width: `${100 * (right - left)}%`, height: `${100 * (bottom - top)}%`,
    });
    if (typed) return;
    inputs().forEach((input, number) => { input.value = Number((100 * edges[number]).toFixed(1)); });
  }

  const inputs = () => [...at.edges.querySelectorAll("input")];

  function move([across, down], resize) {
    const [left, top, right, bottom] = edges;
    if (resize) {
      set([left, top, within(right + across, left + LEAST, 1), within(bottom + down, top + LEAST, 1)]);
    } else {
      const [x, y] = [within(across, -left, 1 - right), within(down, -top, 1 - bottom)];
      set([left + x, top + y, right + x, bottom + y]);
    }
  }

  function placeOf(event) {
    const { left, top, width, height } = at.whole.getBoundingClientRect();
    return [within((event.clientX - left) / width, 0, 1), within((event.clientY - top) / height, 0, 1)];
  }

  at.box.addEventListener("keydown", (event) => {
    if (event.key === "Enter") at.edges.requestSubmit();
    if (!MOVES[event.key]) return;
    event.preventDefault();
    move(MOVES[event.key], event.shiftKey);
  });

  at.frame.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault();
    at.frame.setPointerCapture(event.pointerId);
    const way = event.target === at.box ? "move" : event.target.parentElement === at.box ? "size" : "draw";
    drag = { way, from: placeOf(event), edges };
    at.box.focus();
  });
  at.frame.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const [x, y] = placeOf(event);
    const [fromX, fromY] = drag.from;
    if (drag.way === "draw") {
      const [left, top] = [Math.min(x, fromX, 1 - LEAST), Math.min(y, fromY, 1 - LEAST)];
      set([left, top, Math.max(x, fromX, left + LEAST), Math.max(y, fromY, top + LEAST)]);
    } else {
      edges = drag.edges;
      move([x - fromX, y - fromY], drag.way === "size");
    }
  });
  ["pointerup", "pointercancel"].forEach((end) => at.frame.addEventListener(end, () => { drag = null; }));

  at.edges.addEventListener("input", () => {
    const [left, top, right, bottom] = inputs().map((input) => within(Number(input.value) / 100, 0, 1));
    if (right - left >= LEAST && bottom - top >= LEAST) set([left, top, right, bottom], true);
  });
  at.edges.addEventListener("submit", (event) => {
    event.preventDefault();
    at.crop.close();
    take(edges.every((edge, number) => edge === (number < 2 ? 0 : 1)) ? "" : edges.map((edge) => Number(edge.toFixed(4))).join(","));
  });
  at.entire.addEventListener("click", () => {
    at.crop.close();
    take("");
  });
  at.crop.addEventListener("click", (event) => event.target === at.crop && !drag && at.crop.close()); // beside it
  return open;
}

const within = (number, least, most) => Math.min(Math.max(number, least), most);
