// Sends a form until it is answered: with progress, through lost connections and busy servers.
// Repeating is safe because the body carries an idempotency key.

const FIRST_DELAY = 1_000; // ms, doubling
const LAST_DELAY = 30_000; // ms
const PATIENCE = 120_000; // ms; who is told to wait longer must know it
const BROKEN = 3; // times that a server may say that it is broken
const SILENCE = 60_000; // ms without any progress count as a lost connection

/**
 * Posts `body` to `url` until there is an answer to show, and resolves to it, with its `status`. Resolves to null when
 * `signal` aborts, and when there is none at the time `until`.
 */
export async function sendUntilAnswered(url, body, { signal, until, onProgress, onWaiting }) {
  let broken = 0;
  for (let delay = FIRST_DELAY; !signal.aborted && Date.now() < until; delay = Math.min(2 * delay, LAST_DELAY)) {
    const { status, retryAfter, answer } = await attempt(url, body, signal, onProgress);
    if (status === 500 && answer?.code) broken += 1;
    if (isFinal(status, answer) || retryAfter > PATIENCE || broken === BROKEN) return { ...answer, status };
    onWaiting();
    // The spread keeps the writers of a board that restarts from coming back all at once.
    await pause(Math.max(delay * (1 + Math.random() / 4), retryAfter), signal, status === 0);
  }
  return null;
}

function isFinal(status, answer) {
  if (status >= 200 && status < 300) return answer !== null; // else a stranger's page, such as a hotel's log-in
  if (status === 409) return answer?.code !== "request_in_progress";
  return status >= 400 && status < 500 && status !== 408 && status !== 429;
}

/** One request; a lost connection has status 0. XMLHttpRequest, because fetch has no upload progress. */
function attempt(url, body, signal, onProgress) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    let watchdog;
    const alive = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(abort, SILENCE);
    };
    request.upload.onprogress = ({ loaded, total }) => {
      alive();
      if (total) onProgress(loaded / total);
    };
    request.onloadend = () => {
      clearTimeout(watchdog);
      signal.removeEventListener("abort", abort);
      const retryAfter = 1000 * Number(request.getResponseHeader("Retry-After")) || 0; // ms; no dates
      resolve({ status: request.status, retryAfter, answer: parsed(request.responseText) });
    };
    signal.addEventListener("abort", abort);
    request.open("POST", url);
    request.setRequestHeader("Accept", "application/json");
    request.send(body);
    alive();
  });
}

function parsed(text) {
  try {
    return Object(JSON.parse(text));
  } catch {
    return null;
  }
}

/** Waits, at most until `signal` aborts; if `isOffline`, at most until the connection is back. */
function pause(ms, signal, isOffline) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      removeEventListener("online", end);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    if (isOffline) addEventListener("online", end);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
  });
}
