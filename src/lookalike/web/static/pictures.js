// Pictures on a canvas: a part of one, and light on the regions that matter.

const LONGEST = 640;

/** Load a picture; rejects where the browser cannot show it. */
export async function loaded(source) {
  const picture = new Image();
  picture.src = source;
  await picture.decode();
  return picture;
}

/** The edges of a box, `left,top,right,bottom`; of the whole picture where there is none. */
export function edgesOf(box) {
  const numbers = (box || "0,0,1,1").split(",").map(Number);
  return numbers.length === 4 && numbers.every((edge) => edge >= 0 && edge <= 1) ? numbers : [0, 0, 1, 1];
}

/** Draw the part of a picture that a box holds. */
export function draw(canvas, picture, box) {
  const [left, top, right, bottom] = edgesOf(box);
  const [wide, tall] = [picture.naturalWidth, picture.naturalHeight];
  const [width, height] = [(right - left) * wide, (bottom - top) * tall];
  const scale = Math.min(1, LONGEST / Math.max(width, height));
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  canvas.getContext("2d").drawImage(picture, left * wide, top * tall, width, height, 0, 0, canvas.width, canvas.height);
}

/** A small picture of the part of another, as an address of this page; that of the whole where it cannot be made. */
export async function cut(source, box) {
  if (!box) return source;
  try {
    const canvas = document.createElement("canvas");
    draw(canvas, await loaded(source), box);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.9));
    return blob ? URL.createObjectURL(blob) : source;
  } catch {
    return source;
  }
}

/** Leave light on the cells of a map that matter, the most on the one that matters most; the rest goes dark. */
export function light(canvas, map) {
  const most = Math.max(...map.flat());
  if (!(most > 0.0005)) return; // no part matters by itself
  const rows = map.length;
  const shade = document.createElement("canvas");
  shade.width = shade.height = rows;
  const small = shade.getContext("2d");
  const pixels = small.createImageData(rows, rows);
  map.flat().forEach((fall, place) => {
    const lit = Math.max(0, fall) / most;
    pixels.data.set([14, 12, 10, Math.round(195 * (1 - lit ** 0.55))], 4 * place);
  });
  small.putImageData(pixels, 0, 0);
  const large = canvas.getContext("2d");
  large.imageSmoothingEnabled = true;
  large.imageSmoothingQuality = "high";
  large.drawImage(shade, 0, 0, canvas.width, canvas.height);
}

/** In words, where the cell is that matters most. */
export function where(map) {
  const flat = map.flat();
  const place = flat.indexOf(Math.max(...flat));
  const third = (number) => Math.min(2, Math.floor((3 * (number + 0.5)) / map.length));
  const row = ["upper", "middle", "lower"][third(Math.floor(place / map.length))];
  const column = ["left", "centre", "right"][third(place % map.length)];
  return row === "middle" && column === "centre" ? "the centre" : `the ${row} ${column}`;
}
