// The bar of every page: on a phone its links scroll, and the one of this page is in view.

const links = document.querySelector(".pages");
const here = links?.querySelector("[aria-current]");

if (here) {
  const middle = here.offsetLeft - links.offsetLeft + here.offsetWidth / 2;
  links.scrollLeft = middle - links.clientWidth / 2;
}
