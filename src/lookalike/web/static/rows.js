// Justified rows: every row is exactly as wide as the page, and as near as can be to the height wished for.

const NARROWEST = 0.5;
const WIDEST = 2;

/** Sizes `{width, height}` of pictures of these shapes (width over height), in the order given. */
export function justified(shapes, width, height, gap) {
  const sizes = [];
  let row = [];
  const fitted = (members) => (width - gap * (members.length - 1)) / members.reduce((sum, shape) => sum + shape, 0);
  const close = (members, tall) => {
    sizes.push(...members.map((shape) => ({ width: shape * tall, height: tall })));
    row = [];
  };
  for (const given of shapes) {
    const shape = Math.min(Math.max(given, NARROWEST), WIDEST);
    const without = row;
    row = [...row, shape];
    const tall = fitted(row);
    if (tall > height) continue;
    // The row is full with this picture or without it, whichever leaves it nearer to the height wished for.
    if (without.length && fitted(without) / height < height / tall) {
      close(without, fitted(without));
      row = [shape];
    } else close(row, tall);
  }
  if (row.length) close(row, Math.min(fitted(row), height));
  return sizes;
}
