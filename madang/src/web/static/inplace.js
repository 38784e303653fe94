// Forms with `data-inplace` are sent by fetch, and the answer changes this page instead of loading another.
import { clearErrors, focusError, hold, isChanged, randomKey, say, showErrors, typedFields } from "./forms.js";
import { showTimes } from "./times.js";

const TIMEOUT = 30_000; // ms: a connection that went silent must give the button back
const FOCUSABLE = "button:enabled, textarea:enabled, input:enabled:not([type=hidden])";

const releases = new Map(); // the forms that are being sent, each with what lets it go

export function watchForms() {
  document.addEventListener("submit", onSubmit);
  document.addEventListener("keydown", submitByKeys);
  // Going back may bring a page that left with a form still held.
  addEventListener("pageshow", (event) => event.persisted && [...releases.keys()].forEach(release));
}

function submitByKeys(event) {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  // Enter that ends a Korean or Japanese composition is no Enter; Safari tells it by key code 229 only.
  if (event.isComposing || event.keyCode === 229) return;
  if (!event.target.matches("textarea")) return;
  event.preventDefault();
  event.target.form?.requestSubmit();
}

async function onSubmit(event) {
  const form = event.target;
  if (!form.matches("[data-inplace]")) return;
  event.preventDefault();
  const button = event.submitter ?? form.querySelector("button:not([type=button])");
  if (releases.has(form)) return;

  const focused = document.activeElement;
  const body = new URLSearchParams(new FormData(form));
  if (button?.name) body.append(button.name, button.value);
  releases.set(form, hold(form));
  clearErrors(form);
  say("");
  const answer = await post(form.action, body);
  // Held until the other page is there, so that a second click cannot send again.
  if (answer.ok && answer.location) return location.assign(answer.location);
  release(form);
  if (answer.ok) succeed(form, answer, focused);
  else fail(form, answer, focused);
}

async function post(url, body) {
  try {
    const response = await fetch(url, {
      method: "POST",
      body,
      headers: { Accept: "application/json" },
      credentials: "same-origin",
      signal: AbortSignal.timeout?.(TIMEOUT),
    });
    return { ...(await response.json()), ok: response.ok };
  } catch {
    // No connection, or an answer that is not ours, such as a proxy's page.
    return { ok: false, message: document.documentElement.dataset.textOffline };
  }
}

function release(form) {
  releases.get(form)?.();
  releases.delete(form);
}

function succeed(form, { swaps = [], notice }, focusedBefore) {
  const focused = currentFocus(focusedBefore);
  for (const swap of swaps) apply(swap, focused);
  if (form.isConnected) form.reset();
  restoreFocus(focused);
  say(notice);
}

function fail(form, answer, focused) {
  // With nothing typed there is nothing to keep here: straight to the log-in.
  if (answer.location && !typedFields(form).some(isChanged)) return location.assign(answer.location);
  // The key belongs to something sent before; pressing again shall send this as new.
  if (answer.code === "idempotency_key_reused" && form.elements.key) form.elements.key.value = randomKey();
  restoreFocus(currentFocus(focused));
  showErrors(form, answer);
  focusError(form);
}

/** Disabling the pressed button took its focus away; unless the reader went elsewhere, it counts as still there. */
function currentFocus(before) {
  return document.activeElement === document.body ? before : document.activeElement;
}

function restoreFocus(focused) {
  if (document.activeElement === document.body && focused.isConnected) focused.focus({ preventScroll: true });
}

function apply({ target, how, html }, focused) {
  const old = document.querySelector(target);
  if (!old) return;
  if (how === "remove") return remove(old, focused);
  const template = document.createElement("template");
  template.innerHTML = html; // rendered and escaped by the server
  showTimes(template.content);
  const focusable = template.content.querySelector(FOCUSABLE);
  if (how === "append") return append(old, template.content);
  const hadFocus = old.contains(focused);
  old.replaceWith(template.content);
  if (hadFocus) focusable?.focus({ preventScroll: true });
}

/** A repeated request gets the first one's answer again; what is here already is not shown twice. */
function append(parent, content) {
  for (const element of [...content.children]) {
    const twin = element.id && document.getElementById(element.id);
    if (twin) twin.replaceWith(element);
    else parent.append(element);
  }
}

function remove(element, focused) {
  const neighbour = element.nextElementSibling ?? element.previousElementSibling ?? element.parentElement;
  const hadFocus = element.contains(focused);
  element.remove();
  if (!hadFocus) return;
  // Readers by keyboard or ear go on where they were, not at the top of the page.
  neighbour.tabIndex = -1;
  neighbour.focus({ preventScroll: true });
}
