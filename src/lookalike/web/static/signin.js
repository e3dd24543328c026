// A key for a cookie. The key may come with the link, behind the # that browsers keep to themselves.

import { Refused, post } from "./api.js";

const at = Object.fromEntries(["form", "key", "alert"].map((id) => [id, document.getElementById(id)]));

/** The page that asked, if it is one of this server. */
function next() {
  const wanted = new URLSearchParams(location.search).get("next") ?? "/";
  const url = new URL(wanted, location.origin);
  return url.origin === location.origin && url.pathname !== "/signin" ? url.href : "/";
}

async function signIn(key) {
  at.alert.hidden = true;
  try {
    await post("/session", { key });
    location.replace(next());
  } catch (error) {
    at.alert.textContent = error instanceof Refused ? error.message : `Something went wrong: ${error.message}`;
    at.alert.hidden = false;
    at.key.focus();
    at.key.select();
  }
}

at.form.addEventListener("submit", (event) => {
  event.preventDefault();
  signIn(at.key.value.trim());
});

const carried = new URLSearchParams(location.hash.slice(1)).get("key");
if (carried) {
  history.replaceState(null, "", location.pathname + location.search); // the key stays out of the history
  signIn(carried);
} else at.key.focus();
