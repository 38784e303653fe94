// What the writer sees while a post is being sent.
import { phrase } from "./forms.js";

/** Shows the form's progress, with a button that calls `onStop`; returns what changes it. */
export function showProgress(form, onStop) {
  const box = form.querySelector("[data-progress]");
  const bar = box.querySelector("progress");
  const line = box.querySelector("[data-progress-text]");
  const text = form.dataset;

  const stop = document.createElement("button");
  stop.type = "button";
  stop.textContent = text.textStop ?? text.textDiscard;
  stop.addEventListener("click", onStop);

  const tell = (words) => {
    if (line.textContent !== words) line.textContent = words;
  };

  line.setAttribute("aria-live", "polite");
  box.hidden = false;
  box.append(stop);
  bar.removeAttribute("value");

  return {
    update(part) {
      bar.value = Math.floor(100 * part);
      tell(phrase(text.textUploading, { n: 25 * Math.floor(4 * part) })); // quarters: each change is read aloud
    },
    wait() {
      bar.removeAttribute("value");
      tell(text.textWaiting);
    },
    end() {
      box.hidden = true;
      line.textContent = "";
      stop.remove();
    },
  };
}
