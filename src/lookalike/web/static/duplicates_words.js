// Numbers as people say them.

const UNITS = ["bytes", "kB", "MB", "GB", "TB"];

/** Bytes in the unit that fits. */
export function size(bytes) {
  let [number, unit] = [bytes, 0];
  while (number >= 1000 && unit < UNITS.length - 1) [number, unit] = [number / 1000, unit + 1];
  return `${unit && number < 10 ? number.toFixed(1) : Math.round(number)} ${UNITS[unit]}`;
}

/** What a place of the slider means, 0 to 100; 50 is the usual threshold. */
export function describe(place) {
  if (place === 0) return "Only pictures that the encoder takes for the very same are compared.";
  if (place < 50) return "Only nearly identical pictures are compared: some changed copies stay unfound.";
  if (place === 50) return "The usual setting: it finds nearly all copies that were resized, recompressed or slightly cropped.";
  return "Less alike pictures are compared, too: it takes longer, and finds copies that were changed more.";
}

/** Megapixels for large pictures, width and height for all. */
export const pixels = ({ width, height }) => `${width} × ${height}`;
