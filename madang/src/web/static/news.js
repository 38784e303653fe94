// The bell: how many notifications are unread, as it changes; and on their page, that one was opened.
import { say } from "./forms.js";

const AGAIN = 60_000; // ms until a stream that was refused is tried again: too many windows are open
const UNSEEN = 5_000; // ms: whoever looks elsewhere for a moment keeps his stream

const bell = document.querySelector("#bell");
let stream, pause;

export function watchNews() {
  if (!bell || !("EventSource" in window)) return;
  listen();
  // Browsers open few connections to a site, for all windows together: those that nobody looks at need none.
  document.addEventListener("visibilitychange", () => {
    clearTimeout(pause);
    if (!document.hidden) listen();
    else pause = setTimeout(stop, UNSEEN);
  });
  addEventListener("pagehide", stop);
  addEventListener("pageshow", (event) => event.persisted && listen());
  const news = document.querySelector("#news");
  news?.addEventListener("click", open);
  news?.addEventListener("auxclick", (event) => event.button === 1 && open(event)); // into another tab
}

function listen() {
  if (stream || document.hidden) return;
  stream = new EventSource(bell.dataset.live);
  stream.addEventListener("unread", (event) => show(JSON.parse(event.data).unread));
  stream.addEventListener("notification", announce);
  stream.addEventListener("error", () => {
    if (stream?.readyState !== EventSource.CLOSED) return; // it comes back by itself
    stop();
    pause = setTimeout(listen, AGAIN);
  });
}

function stop() {
  stream?.close();
  stream = undefined;
}

function show(unread) {
  const badge = bell.querySelector(".badge");
  badge.hidden = unread === 0;
  badge.textContent = unread > 99 ? "99+" : unread;
}

function announce() {
  const more = document.querySelector("#more-news");
  if (more) more.hidden = false;
  say(bell.dataset.textNew);
}

// Whoever goes to what it tells of has read it; the browser sends that although the page is left.
function open(event) {
  const form = event.target.closest("a[data-news]")?.parentElement.querySelector("form");
  if (form) navigator.sendBeacon?.(form.action, new URLSearchParams(new FormData(form)));
}
