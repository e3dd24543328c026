// Three ways for a picture to come in: dropped, pasted, chosen.

/** Call `take(file, where)` for each picture that comes in, and `refuse(reason)` for what is none. */
export function intake({ inputs, veil, take, refuse }) {
  const first = (files, where) => {
    const file = [...files].find((each) => each.type.startsWith("image/") || !each.type);
    if (file) take(file, where);
    else refuse("That is not a picture.");
  };

  inputs.forEach((input) => input.addEventListener("change", () => {
    if (input.files.length) first(input.files, input);
    input.value = ""; // so that the same file can be chosen again
  }));

  document.addEventListener("paste", (event) => {
    if (event.clipboardData?.files.length) {
      event.preventDefault();
      first(event.clipboardData.files, document.activeElement);
    }
  });

  drops(veil, (transfer, where) => {
    if (transfer.files.length) first(transfer.files, where);
    else refuse("That is a link or a text. Save the picture, then drop the file.");
  });
}

function drops(veil, dropped) {
  // Enter and leave come for every element below the pointer: the difference says when it has left the window.
  let inside = 0;
  const show = (count) => {
    inside = Math.max(0, count);
    veil.hidden = inside === 0;
  };
  document.addEventListener("dragenter", () => show(inside + 1));
  document.addEventListener("dragleave", () => show(inside - 1));
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    show(0);
    dropped(event.dataTransfer, event.target);
  });
}
