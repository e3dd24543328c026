// Moves on the map: by pointer, wheel, two fingers and keys.

const STEP = 60;

/** Let a canvas move its view; `acts` has `hover(place, x, y)`, `choose(places, add)`, `lasso()`, `all()` and `letGo()`. */
export function moves(canvas, view, isLasso, acts) {
  const fingers = new Map();
  let outline = null;
  let moved = 0;
  const at = (event) => [event.offsetX, event.offsetY];

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, at(event));
    moved = 0;
    acts.hover(null);
    outline = fingers.size === 1 && (isLasso() || event.shiftKey) ? [at(event)] : null;
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) {
      if (event.pointerType !== "touch") acts.hover(view.nearest(...at(event)), ...at(event));
      return;
    }
    const [before, now] = [fingers.get(event.pointerId), at(event)];
    moved += Math.hypot(now[0] - before[0], now[1] - before[1]);
    if (fingers.size === 2) pinch(event.pointerId, now);
    else if (outline) view.outline = outline = outlined(outline, now, event.shiftKey && !isLasso());
    else view.pan(now[0] - before[0], now[1] - before[1]);
    fingers.set(event.pointerId, now);
    if (outline) view.draw();
  });
  const up = (event) => {
    if (!fingers.delete(event.pointerId)) return;
    const place = view.nearest(...at(event));
    if (outline && moved > 8) acts.choose(view.inside(outline), event.ctrlKey || event.metaKey);
    else if (moved < 5 && event.type === "pointerup") {
      if (place !== null) acts.hover(place, ...at(event));
      if (place !== null && (event.ctrlKey || event.metaKey)) acts.choose([place], true);
    }
    outline = view.outline = null;
    view.draw();
  };
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("pointerleave", () => acts.hover(null));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    view.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), at(event));
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = {
      ArrowLeft: () => view.pan(STEP, 0), ArrowRight: () => view.pan(-STEP, 0), ArrowUp: () => view.pan(0, STEP), ArrowDown: () => view.pan(0, -STEP),
      "+": () => view.zoom(1.4), "=": () => view.zoom(1.4), "-": () => view.zoom(1 / 1.4), 0: () => view.fit(),
      l: acts.lasso, v: acts.all, Escape: acts.letGo,
    }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  function pinch(id, now) {
    const other = [...fingers].find(([finger]) => finger !== id)[1];
    const before = fingers.get(id);
    const spread = ([x, y]) => Math.hypot(x - other[0], y - other[1]) || 1;
    outline = view.outline = null;
    view.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
    view.zoom(spread(now) / spread(before), [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2]);
  }
}

/** A lasso that goes on, or a box from where it began. */
function outlined(outline, [x, y], box) {
  if (!box) return [...outline, [x, y]];
  const [[left, top]] = outline;
  return [[left, top], [x, top], [x, y], [left, y]];
}
