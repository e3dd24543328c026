// What else an answer should look like, and what it should not: small pictures that can be taken away again.

import { thumbnail } from "./api.js";

/** Show the further pictures of a question in a list; `change({like, unlike})` asks anew without one. */
export function taste(list, { like, unlike }, change) {
  const without = (paths, image) => paths.filter((path) => path !== image);
  const liked = like.map((image) => entry("like", image, () => change({ like: without(like, image), unlike })));
  const others = unlike.map((image) => entry("unlike", image, () => change({ like, unlike: without(unlike, image) })));
  list.replaceChildren(...liked, ...others);
  list.hidden = !list.children.length;
}

function entry(way, image, remove) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  const picture = document.createElement("img");
  const name = image.split("/").at(-1);
  picture.src = thumbnail(image);
  picture.alt = "";
  button.type = "button";
  button.className = way;
  button.title = `${way === "like" ? "Like" : "Not like"} ${image}: click to take it away`;
  button.setAttribute("aria-label", `${way === "like" ? "like" : "not like"} ${name}: take away`);
  button.append(picture);
  button.addEventListener("click", remove);
  item.append(button);
  return item;
}
