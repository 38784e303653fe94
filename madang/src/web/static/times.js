// Times as people say them, in the page's language and the reader's time zone.

const language = document.documentElement.lang || undefined;
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
const day = new Intl.DateTimeFormat(language, { dateStyle: "medium" });
const exact = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "short" });

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Rewrites every `<time data-time>` below `root`. */
export function showTimes(root = document) {
  for (const time of root.querySelectorAll("time[data-time]")) {
    const date = new Date(time.dateTime);
    if (isNaN(date)) continue; // the server's text stays
    const text = spoken(date);
    if (time.textContent !== text) time.textContent = text;
    time.title = exact.format(date);
  }
}

/** Shows the times, and keeps them true while the page is looked at. */
export function watchTimes() {
  showTimes();
  const refresh = () => document.hidden || showTimes();
  setInterval(refresh, MINUTE * 1000);
  // Timers sleep in hidden tabs and in the back/forward cache.
  document.addEventListener("visibilitychange", refresh);
  addEventListener("pageshow", refresh);
}

function spoken(date) {
  // A reader's clock that is behind must not say "in two minutes" about something written just now.
  const seconds = Math.max(0, (Date.now() - date) / 1000);
  if (seconds < MINUTE) return relative.format(0, "second");
  if (seconds < HOUR) return relative.format(-Math.floor(seconds / MINUTE), "minute");
  if (seconds < DAY) return relative.format(-Math.floor(seconds / HOUR), "hour");
  if (seconds < 7 * DAY) return relative.format(-Math.floor(seconds / DAY), "day");
  return day.format(date);
}
