// Asking the control plane. The key lives in this tab only, and goes out as a header: there is nothing for a page of
// another origin to ride on, and no cookie.
import { useCallback, useEffect, useState } from "./vendor/hooks.js";

const NAME = "flyball.key";
export const session = {
  get key() { return sessionStorage.getItem(NAME) || ""; },
  set key(value) { value ? sessionStorage.setItem(NAME, value) : sessionStorage.removeItem(NAME); },
};

const ADVICE = {
  400: "What was asked for cannot be: the address, or what was typed, is not as expected.",
  401: "Log in with another key: this one is not known, revoked or over. `flyball control --new-key operator` makes one.",
  403: "This needs a key with that role. `flyball control --new-key operator --roles ...` makes one.",
  404: "It may be older than what the log keeps, or the address is wrong.",
  409: "Somebody was quicker. Look at what is there now, then decide again.",
  429: "Wait a moment, then try again.",
  503: "The control plane is not ready. /healthz says why.",
};

export class Failure extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
    this.advice = ADVICE[status];
  }
}

export async function ask(path, body, signal) {
  const headers = { Authorization: "Bearer " + session.key };
  if (body) headers["Content-Type"] = "application/json";
  const options = { method: body ? "POST" : "GET", headers, signal, credentials: "omit", cache: "no-store" };
  if (body) options.body = JSON.stringify(body);
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure(0, "The control plane does not answer.");
  }
  const said = await answer.json().catch(() => null);
  if (!answer.ok) {
    if (answer.status === 401) listeners.forEach((tell) => tell("session"));
    throw new Failure(answer.status, said?.error?.message || "The control plane answered " + answer.status + ".");
  }
  return said;
}

const listeners = new Set();
export function listen(tell) {
  listeners.add(tell);
  return () => listeners.delete(tell);
}

// A failure that says nothing of what was asked for: what was known of it still stands.
const passing = ({ status }) => !status || status >= 500;

// Fetches what a view shows, and again when something of `kinds` has changed, at most once a second.
export function useAsk(path, kinds = []) {
  const [state, setState] = useState({ data: null, error: null });
  const [turn, setTurn] = useState(0);
  const reload = useCallback(() => setTurn((n) => n + 1), []);
  useEffect(() => {
    if (!path) return undefined;
    const control = new AbortController();
    ask(path, null, control.signal).then(
      (data) => setState({ data, error: null, path }),
      (error) => error.name === "AbortError" || setState((old) => ({ data: passing(error) && old.path === path ? old.data : null, error, path })),
    );
    return () => control.abort();
  }, [path, turn]);
  useEffect(() => listen((kind) => (kind === "all" || kinds.includes(kind)) && reload()), [kinds.join()]);
  const [data, error] = state.path === path ? [state.data, state.error] : [null, null];
  return { data, error, reload };
}

const SILENT_MS = 12000;  // the control plane says something every five seconds: a connection that says nothing hangs

// Runs `work` with a watch that ends it by a signal: when `control` ends, or when nobody has called `alive` for so long.
async function watched(control, work) {
  const own = new AbortController();
  const end = () => own.abort();
  let hangs = setTimeout(end, SILENT_MS);
  const alive = () => { clearTimeout(hangs); hangs = setTimeout(end, SILENT_MS); };
  control.signal.addEventListener("abort", end);
  try { await work(own.signal, alive); } finally {
    clearTimeout(hangs);
    control.signal.removeEventListener("abort", end);
  }
}

// Follows server-sent events by fetch, as EventSource cannot send the key. `live` is told true, or when last something came.
export function follow(live) {
  const control = new AbortController();
  let wait = 500, heardAt = Date.now();
  async function once(signal, alive) {
    const headers = { Authorization: "Bearer " + session.key };
    const answer = await fetch("/v1/console/events", { headers, signal, cache: "no-store" });
    if (!answer.ok) throw new Failure(answer.status, "no events");
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    wait = 500;
    heardAt = Date.now();
    live(true);
    listeners.forEach((tell) => tell("all"));  // what changed while nobody listened
    let buffer = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      alive();
      heardAt = Date.now();
      const parts = (buffer + value).split("\n\n");
      buffer = parts.pop();
      parts.forEach(heard);
    }
  }
  async function forever() {
    while (!control.signal.aborted) {
      try { await watched(control, once); } catch (error) {
        if (error.status === 401) return listeners.forEach((tell) => tell("session"));  // whoever only looks is told, too
      }
      if (control.signal.aborted) return;
      live(heardAt);
      await new Promise((done) => setTimeout(done, wait));
      wait = Math.min(wait * 2, 10000);
    }
  }
  forever();
  return () => control.abort();
}

function heard(part) {
  const event = /^event: (.*)$/m.exec(part)?.[1];
  const data = /^data: (.*)$/m.exec(part)?.[1];
  if (event !== "changed" || !data) return;
  for (const kind of JSON.parse(data).what) listeners.forEach((tell) => tell(kind));
}
