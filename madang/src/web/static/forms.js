// What the in-place forms and the compose form share: messages, keys, and holding a form still while it is sent.

/** Says `text` in the page's polite live region; nothing clears it. */
export function say(text) {
  document.getElementById("status")?.replaceChildren(text ?? "");
}

/** Fills the `{name}`s of a localised text. */
export function phrase(text = "", values = {}) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** A fresh idempotency key. Not `crypto.randomUUID`: boards in a home network may be plain http, where it is missing. */
export function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The fields that people type into. */
export const typedFields = (form) =>
  [...form.elements].filter((field) => field.matches("textarea, input:not([type=hidden], [type=file])"));

/** Whether a field differs from what the server sent. */
export const isChanged = (field) =>
  field.type === "checkbox" ? field.checked !== field.defaultChecked : field.value !== field.defaultValue;

/**
 * Shows what a refusing answer says: each problem beside its field, the rest in the form's `[data-error]`, else in the
 * status line.
 */
export function showErrors(form, { message, problems = [], location }) {
  const unplaced = problems.filter((problem) => !showProblem(form, problem)).map((problem) => problem.message);
  const text = [message, ...unplaced].filter(Boolean).join(" ");
  if (!text) return;
  // A way to log in that leaves this page, and what was typed into it, where it is.
  const content = location ? loginLink(text, location) : text;
  const box = form.querySelector("[data-error]");
  if (!box) return say(content);
  box.hidden = false;
  box.replaceChildren(content);
}

export function clearErrors(form) {
  for (const box of form.querySelectorAll("[data-error], [data-error-for]")) {
    box.hidden = true;
    box.replaceChildren();
  }
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
}

/** Brings the reader to the first wrong field, unless they went elsewhere meanwhile. */
export function focusError(form) {
  const here = document.activeElement;
  if (here !== document.body && !form.contains(here)) return;
  const field = form.querySelector('[aria-invalid="true"]');
  if (field) field.focus();
  else form.querySelector("[data-error]")?.scrollIntoView({ block: "nearest" });
}

/**
 * Holds a form still while it is sent, so that nothing typed meanwhile is lost with the answer; returns the release.
 * Fields become read-only, not disabled: they stay readable, selectable and in the tab order.
 */
export function hold(form) {
  const held = [...form.elements].filter((field) => !field.disabled && !field.readOnly && field.type !== "hidden");
  const set = (still) => {
    for (const field of held) field[isText(field) ? "readOnly" : "disabled"] = still;
  };
  set(true);
  return () => set(false);
}

const isText = (field) => /^(text|email|password)/.test(field.type);

function showProblem(form, { field: name, message }) {
  const quoted = CSS.escape(name);
  form.querySelector(`[name="${quoted}"]`)?.setAttribute("aria-invalid", "true");
  const box = form.querySelector(`[data-error-for="${quoted}"]`);
  if (!box) return false;
  box.hidden = false;
  box.textContent = [box.textContent, message].filter(Boolean).join(" ");
  return true;
}

function loginLink(text, location) {
  const link = document.createElement("a");
  link.href = location;
  link.target = "_blank";
  link.textContent = text;
  return link;
}
