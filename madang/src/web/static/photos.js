// The list of photos to send: picked, dropped or pasted, shown, put in order, removed. The order is that of the list's
// items, so a move is a move of an element.
import { clearErrors, phrase, randomKey, say, showErrors } from "./forms.js";

// What an item's buttons show, and where the form has their names.
const BUTTONS = { earlier: ["←", "textEarlier"], later: ["→", "textLater"], remove: ["×", "textRemove"] };

/** Watches the form's photos; calls `changed` after each change by the writer. */
export function photoList(form, changed) {
  const picker = form.querySelector("input[type=file]");
  const list = form.querySelector("[data-photos]");
  const text = form.dataset;
  const photos = new WeakMap(); // by item: { id, file }

  const held = () => picker.disabled; // while the form is being sent

  async function add(files) {
    if (held() || !files.length) return;
    clearErrors(form);
    const messages = new Set(); // each once, however many files it is about
    const items = [];
    for (const file of files) {
      const message = refusal(file);
      if (message) messages.add(message);
      else items.push(list.appendChild(item({ id: randomKey(), file })));
    }
    number();
    if (items.length) say(phrase(text.textPhoto, { n: list.children.length }));
    complain(...messages);
    await Promise.all(items.map(copy));
    changed();
  }

  function complain(...messages) {
    showErrors(form, { problems: messages.map((message) => ({ field: picker.name, message })) });
  }

  /** Takes the bytes now: the file may change or go before they are sent. */
  async function copy(li) {
    const photo = photos.get(li);
    const { name, type } = photo.file;
    try {
      photo.file = new File([await photo.file.arrayBuffer()], name, { type });
    } catch {
      li.remove();
      number();
      complain(phrase(text.textNotPhoto, { name }));
    }
  }

  function refusal(file) {
    const bytes = Number(text.maxBytes);
    // Photos of an edited post that are to go make room.
    const room = Number(text.maxPhotos) + form.querySelectorAll("[name=target_image_urls]:checked").length;
    const types = picker.accept.split(",").map((type) => type.trim());
    if (!types.includes(file.type) || !file.size) return phrase(text.textNotPhoto, { name: file.name });
    if (file.size > bytes) return phrase(text.textTooLarge, { name: file.name, n: Math.floor(bytes / 2 ** 20) });
    if (list.children.length >= room) return phrase(text.textTooMany, { n: room });
  }

  function item(photo) {
    const li = document.createElement("li");
    const name = document.createElement("span");
    name.className = "photo-name";
    name.textContent = photo.file.name;
    li.draggable = true;
    li.append(preview(photo.file), name, ...Object.keys(BUTTONS).map(button));
    photos.set(li, photo);
    return li;
  }

  /** Names everything by its place, and switches off the moves that lead nowhere. */
  function number() {
    const items = [...list.children];
    items.forEach((li, index) => {
      const n = index + 1;
      const image = li.querySelector("img");
      if (image) image.alt = phrase(text.textPhoto, { n });
      for (const button of li.querySelectorAll("button")) {
        button.title = phrase(text[BUTTONS[button.value][1]], { n });
        button.setAttribute("aria-label", button.title);
      }
      li.querySelector("[value=earlier]").disabled = n === 1;
      li.querySelector("[value=later]").disabled = n === items.length;
    });
  }

  function press(button) {
    const li = button.closest("li");
    const { previousElementSibling: previous, nextElementSibling: next } = li;
    let focus = button;
    if (button.value === "earlier") previous.before(li);
    if (button.value === "later") next.after(li);
    if (button.value === "remove") {
      li.remove();
      focus = (next ?? previous)?.querySelector("[value=remove]") ?? picker;
    }
    number();
    // At an end the pressed button is off, and the focus needs another place.
    if (focus.disabled) focus = li.querySelector("button:enabled");
    focus.focus();
    if (li.isConnected) say(phrase(text.textPhoto, { n: [...list.children].indexOf(li) + 1 }));
    changed();
  }

  function take() {
    add([...picker.files]);
    picker.value = ""; // the list has them now, and the same file can be picked again
  }

  picker.addEventListener("change", take);
  list.addEventListener("click", ({ target }) => target.matches("button") && press(target));
  onFiles(form, add);
  onMoves(list, held, () => {
    number();
    changed();
  });
  take(); // what was picked before this script was there

  return {
    all: () => Array.from(list.children, (li) => photos.get(li)),
    replace(those) {
      list.replaceChildren(...those.map(item));
      number();
    },
  };
}

function button(value) {
  const button = document.createElement("button");
  button.type = "button";
  button.value = value;
  button.className = `photo-${value}`;
  button.textContent = BUTTONS[value][0];
  return button;
}

function preview(file) {
  const image = document.createElement("img");
  image.draggable = false; // the item is what moves
  image.src = URL.createObjectURL(file);
  const done = () => URL.revokeObjectURL(image.src); // shown, or never: the browser needs the URL no more
  image.addEventListener("load", done);
  image.addEventListener("error", () => {
    done();
    image.remove(); // the name stays
  });
  return image;
}

/** Files dropped anywhere on the page, where a miss would have left it for the file, and files pasted. */
function onFiles(form, add) {
  const brings = (event) => event.dataTransfer.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!brings(event)) return;
    event.preventDefault();
    form.classList.add("dropping");
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget || form.classList.remove("dropping"));
  document.addEventListener("drop", (event) => {
    if (!brings(event)) return;
    event.preventDefault();
    form.classList.remove("dropping");
    add([...event.dataTransfer.files]);
  });
  document.addEventListener("paste", (event) => {
    const { files, types } = event.clipboardData;
    // Office programs add a picture of the copied text; the text is what is meant.
    if (!files.length || types.includes("text/plain")) return;
    event.preventDefault();
    add([...files]);
  });
}

/** Items dragged to another place. An extra: touch and keyboard have the buttons. */
function onMoves(list, held, moved) {
  let dragged = null;
  list.addEventListener("dragstart", (event) => {
    if (held()) return event.preventDefault();
    dragged = event.target.closest("li");
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", ""); // Firefox drags nothing that has no data
  });
  list.addEventListener("dragover", (event) => {
    if (!dragged) return;
    event.preventDefault();
    const over = event.target.closest?.("li");
    if (!over || over === dragged) return;
    const isLater = dragged.compareDocumentPosition(over) & Node.DOCUMENT_POSITION_FOLLOWING;
    over[isLater ? "after" : "before"](dragged);
  });
  list.addEventListener("drop", (event) => dragged && event.preventDefault());
  list.addEventListener("dragend", () => {
    dragged = null;
    moved();
  });
}
