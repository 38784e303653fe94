// The entry of the pages where posts are written. What is typed is kept as a draft until the server has answered, and a
// post is sent under its key until it is answered, so that it appears once however often that takes.
import { confirmed } from "./confirm.js";
import { draftStore } from "./drafts.js";
import { clearErrors, focusError, hold, isChanged, randomKey, showErrors, typedFields } from "./forms.js";
import { photoList } from "./photos.js";
import { showProgress } from "./progress.js";
import { sendUntilAnswered } from "./sending.js";

const SAVE_DELAY = 300; // ms
const RELEASED_WITHIN = 2_000; // ms: a page that was closed just now gives up its lock a moment later
// The server knows a key for 24 h. Later, sending again could post again: only the writer may decide that.
const RESEND_FOR = 23 * 60 * 60 * 1000; // ms

const page = document.documentElement.dataset;
const form = document.getElementById("compose");
const text = form.dataset;
const { key } = form.elements;
const picker = form.querySelector("input[type=file]");
const note = form.querySelector("[data-draft-note]");
// The plain form was sent and came back: what it holds is newer than the draft.
const isRefused = !form.querySelector("[data-error]").hidden;

let state = "restoring"; // then "writing", "sending", "sent"
let saving = 0; // the timer

const drafts = draftStore(text.draft);
const photos = photoList(form, save);
const ready = restore().catch((error) => {
  state = "writing"; // whatever is wrong with a draft, the form works
  reportError(error);
});

form.addEventListener("input", () => {
  clearTimeout(saving);
  saving = setTimeout(save, SAVE_DELAY);
});
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  await ready;
  if (state === "writing") send(currentDraft());
});
addEventListener("pagehide", saveAtOnce);
addEventListener("visibilitychange", saveAtOnce); // the last event that phones are sure to send
addEventListener("pageshow", (event) => {
  // Back to a page whose post is out: load a new one, with a new key.
  if (event.persisted && state === "sent") location.reload();
});

// Keeping

function currentDraft() {
  const fields = [...new FormData(form)].filter(([name]) => name !== picker.name);
  return { key: key.value, fields, photos: photos.all() };
}

const isBlank = () => !typedFields(form).some(isChanged) && !photos.all().length;

async function save() {
  clearTimeout(saving);
  saving = 0;
  await ready;
  if (state !== "writing") return;
  const draft = currentDraft();
  const isSafe = isBlank() ? await drafts.removeWritten(draft.key).then(() => true) : await drafts.save(draft);
  if (state !== "writing") return;
  warnOnLeaving(!isSafe);
  // The draft is newer than what the browser would bring back with the Back button.
  form.autocomplete = isSafe ? "off" : "on";
}

function saveAtOnce() {
  if (!saving || state !== "writing" || isBlank()) return;
  drafts.saveHastily(currentDraft());
}

// Only while something would be lost or left unsent: the listener itself slows going back in some browsers.
function warnOnLeaving(isOn) {
  (isOn ? addEventListener : removeEventListener)("beforeunload", askToStay);
}

function askToStay(event) {
  event.preventDefault();
  event.returnValue = true; // older browsers want a value
}

// Restoring

async function restore() {
  const unsent = await drafts.sending();
  const isStale = unsent && Date.now() - unsent.since > RESEND_FOR;
  const typedOver = unsent && typedFields(form).some((field) => isChanged(field) && !holds(unsent, field));
  if (unsent && !isStale && !typedOver && (await resume(unsent.key))) return;

  const draft = (await drafts.written()) ?? (isStale ? { ...unsent, key: randomKey() } : null);
  state = "writing";
  if (!draft) return;
  fill(draft);
  if (draft.since) save().then(() => drafts.removeSending(unsent.key));
  showNote();
}

/** Goes on sending what a closed or reloaded page left, unless another tab does; resolves to whether it did. */
async function resume(unsentKey) {
  const patience = AbortSignal.timeout ? { signal: AbortSignal.timeout(RELEASED_WITHIN) } : { ifAvailable: true };
  const unlock = await lock(unsentKey, patience);
  const draft = unlock && (await drafts.sending(unsentKey)); // again: it may be out by now
  if (!draft) {
    unlock?.();
    return false;
  }
  fill(draft);
  send(draft, unlock);
  return true;
}

/** Puts a draft into the form; what was typed before this script was there stays. */
function fill(draft) {
  for (const field of typedFields(form)) {
    if (isRefused || isChanged(field)) continue;
    if (field.type === "checkbox") field.checked = holds(draft, field);
    else field.value = draft.fields.find(([name]) => name === field.name)?.[1] ?? "";
  }
  if (!isRefused) key.value = draft.key;
  photos.replace([...draft.photos, ...photos.all()]);
}

/** Whether the draft has what the field shows. */
function holds(draft, field) {
  return draft.fields.some(([name, value]) => name === field.name && value === field.value);
}

function showNote() {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = text.textDiscard;
  button.addEventListener("click", discard);
  note.replaceChildren(text.textRestored, " ", button);
  note.hidden = false;
}

async function discard() {
  if (text.textDiscardSure && !(await confirmed(text.textDiscardSure, text.textDiscard))) return;
  await drafts.removeWritten(key.value);
  empty();
  save();
  form.elements.title.focus();
}

function empty() {
  form.reset();
  photos.replace([]);
  key.value = randomKey();
  note.hidden = true;
  clearErrors(form);
}

// Sending

async function send(draft, unlock) {
  state = "sending";
  const stopper = new AbortController();
  const { signal } = stopper;
  const release = hold(form);
  const progress = showProgress(form, () => stopper.abort());
  clearErrors(form);
  warnOnLeaving(true);

  unlock ??= await lock(draft.key, { signal });
  const answer = unlock && (await deliver(draft, signal, progress));
  if (answer?.status < 300) {
    await leave(draft, answer);
  } else {
    progress.end();
    release();
    await giveBack(draft, answer);
  }
  unlock?.();
}

/** One tab sends a draft. Resolves to the release, to null when the lock is not to be had. */
function lock(key, options) {
  return new Promise((resolve) => {
    if (!navigator.locks) return resolve(() => {}); // plain http: the key alone must do
    const keep = (granted) => new Promise((release) => resolve(granted && release));
    navigator.locks.request(`madang-sending-${key}`, options, keep).catch(() => resolve(null));
  });
}

async function deliver(draft, signal, progress) {
  draft.since ??= Date.now();
  await drafts.saveSending(draft);
  const body = new FormData();
  for (const [name, value] of draft.fields) body.append(name, value);
  for (const { file } of draft.photos) body.append(picker.name, file, file.name);
  return sendUntilAnswered(form.action, body, {
    signal,
    until: draft.since + RESEND_FOR,
    onProgress: progress.update,
    onWaiting: progress.wait,
  });
}

async function leave(draft, { location: to }) {
  state = "sent";
  warnOnLeaving(false);
  await drafts.removeSending(draft.key);
  empty(); // else the browser would bring the text back with the Back button
  location.assign(to ?? `${page.base}/`);
}

/** Lets the writer go on after a refusal, or without an answer after a stop. */
async function giveBack(draft, answer) {
  state = "writing";
  // Refused content may be sent again under its key. So may what was stopped: if it had arrived, the same text is the same
  // post, and another text is refused once, so that nobody posts twice without knowing.
  if (answer?.code === "idempotency_key_reused") key.value = randomKey();
  await save();
  await drafts.removeSending(draft.key);
  if (!answer) return form.elements.content.focus();
  showErrors(form, { message: page.textOffline, ...answer });
  focusError(form);
}
