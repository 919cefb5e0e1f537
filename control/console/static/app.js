// The frame: login, navigation, keys, and which view the address asks for.
import { ask, follow, listen, session, useAsk } from "./api.js";
import { Audit } from "./audit.js";
import { Drift } from "./drift.js";
import { Incident, Incidents } from "./incidents.js";
import { Run } from "./run.js";
import { Runs } from "./runs.js";
import { Signals } from "./signals.js";
import { Slos } from "./slos.js";
import { Spend } from "./spend.js";
import { count, Empty, Guarded, html, Mark, Problem, render, seconds, time, useEffect, useRef, useState } from "./ui.js";

const VIEWS = [
  ["slos", "SLOs", "s", "slos"],
  ["incidents", "Incidents", "i", "incidents"],
  ["signals", "Signals", "k", "signals"],
  ["runs", "Runs", "r", "runs"],
  ["spend", "Spend", "b", null],
  ["drift", "Drift", "d", "drift"],
  ["audit", "Audit", "a", null],
];
const PAGES = { slos: Slos, incidents: Incidents, signals: Signals, runs: Runs, spend: Spend, drift: Drift, audit: Audit };

// The view that has it may be on its way: try at every frame, for a second or so.
function focusWhenThere(what, frames = 90) {
  const found = document.querySelector(what);
  if (found) found.focus();
  else if (frames) requestAnimationFrame(() => focusWhenThere(what, frames - 1));
}

function route() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [view, ...rest] = path.split("/");
  const said = { view: Object.hasOwn(PAGES, view) ? view : "slos", id: "", query: new URLSearchParams(query) };
  try {
    return { ...said, id: decodeURIComponent(rest.join("/")) };
  } catch {  // people cut links short
    return { ...said, view: "unknown" };
  }
}

function Unknown() {
  return html`<h1>Unknown</h1><${Empty}>There is nothing at this address: it is cut short, or was changed. <a href="#/slos">SLOs</a> are where all begins.<//>`;
}

function useRoute() {
  const [at, setAt] = useState(route());
  useEffect(() => {
    const moved = () => { setAt(route()); document.getElementById("main")?.focus({ preventScroll: true }); scrollTo(0, 0); };
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  return at;
}

function useKeys(showHelp) {
  const before = useRef("");
  useEffect(() => {
    const pressed = (event) => {
      const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) || document.querySelector("dialog[open]");
      if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
      const view = before.current === "g" && VIEWS.find(([, , key]) => key === event.key);
      before.current = event.key;
      if (view) location.hash = "#/" + view[0];
      else if (event.key === "?") showHelp();
      else if (event.key === "/") {
        event.preventDefault();
        if (route().view !== "runs" || route().id) location.hash = "#/runs";
        focusWhenThere("[data-search]");
      }
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}

function Login({ why, enter }) {
  const [key, setKey] = useState("");
  const [error, setError] = useState(why);
  const [busy, setBusy] = useState(false);
  async function submit(event) {
    event.preventDefault();
    session.key = key.trim();
    setBusy(true);
    try {
      enter(await ask("/v1/console/overview"));
    } catch (failure) {
      session.key = "";
      const refused = failure.status === 401 ? "This key is not valid." : failure.message;
      setError(failure.status === 403 ? "This is an agent's key: the console needs an operator's." : refused);
      setBusy(false);
    }
  }
  return html`<main class="login">
    <h1><img src="/console/icon.svg" alt="" width="28" height="28" /> Flyball</h1>
    <form onSubmit=${submit}>
      <label for="key">Operator's key</label>
      <input id="key" type="password" autocomplete="off" spellcheck=${false} autofocus required value=${key}
        onInput=${(event) => setKey(event.target.value)} aria-describedby="help" />
      <button class="primary" disabled=${busy}>Log in</button>
      ${error && html`<p role="alert"><${Mark} tone="bad">${error}<//></p>`}
      <p id="help" class="quiet">It is in <code>control/operator.key</code> of the data folder, or made by <code>flyball control --new-key operator</code>. It stays in this tab, and is forgotten when the tab is closed.</p>
    </form>
  </main>`;
}

function Help({ dialog }) {
  return html`<dialog ref=${dialog} aria-labelledby="keys"><h2 id="keys">Keys</h2>
    <dl class="keys">${VIEWS.map(([, name, key]) => html`<div><dt><kbd>g</kbd> <kbd>${key}</kbd></dt><dd>${name}</dd></div>`)}
      <div><dt><kbd>/</kbd></dt><dd>Search runs</dd></div><div><dt><kbd>?</kbd></dt><dd>This list</dd></div>
      <div><dt><kbd>Esc</kbd></dt><dd>Close a dialog</dd></div></dl>
    <form method="dialog"><button autofocus>Close</button></form></dialog>`;
}

function Nav({ at, over }) {
  const numbers = over ? { slos: over.slos_spent, incidents: over.incidents, signals: over.signals, drift: over.drift } : {};
  return html`<nav aria-label="Views"><ul>${VIEWS.map(([name, label, key]) => html`<li key=${name}>
    <a href=${"#/" + name} aria-current=${at.view === name ? "page" : undefined} title=${"g " + key}>${label}
    ${numbers[name] > 0 && html` <span class="badge">${numbers[name]}</span>`}</a></li>`)}</ul></nav>`;
}

// Since when nothing was heard, once that is longer than a blink; null: the page is live. `live`: true, a time, or null.
function useLost(live) {
  const [lost, setLost] = useState(null);
  useEffect(() => {
    setLost(null);
    if (live === true) return undefined;
    const since = new Date(live ?? Date.now()).toISOString();
    const later = setTimeout(() => setLost(since), 3000);
    return () => clearTimeout(later);
  }, [live]);
  return lost;
}

function Frame({ first, leave }) {
  const at = useRoute();
  const help = useRef(null);
  const [live, setLive] = useState(null);
  const lost = useLost(live);
  const over = useAsk("/v1/console/overview", ["slo", "incident", "signals", "drift", "silence"]);
  const now = over.data || first;
  const Page = at.view === "runs" && at.id ? Run : at.view === "incidents" && at.id ? Incident : PAGES[at.view] || Unknown;
  useKeys(() => help.current?.showModal());
  useEffect(() => follow(setLive), []);
  useEffect(() => listen((kind) => kind === "session" && leave("This key is over: log in again.")), []);
  useEffect(() => { document.title = (VIEWS.find(([name]) => name === at.view)?.[1] || "Unknown") + " · Flyball"; }, [at.view]);
  const trouble = now.degraded || now.console.problem;
  return html`<a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.getElementById("main").focus(); }}>Skip to content</a>
    <header><a class="brand" href="#/slos"><img src="/console/icon.svg" alt="" width="20" height="20" /> Flyball</a>
      <${Nav} at=${at} over=${now} />
      <div class="who"><span role="status" aria-live="off">${live === true ? html`<${Mark} tone="good">live<//>` : html`<${Mark} tone="warn">${live === null ? "connecting" : "not live"}<//>`}</span>
        <span title=${"roles: " + now.key.roles.join(", ")}>${now.key.person}</span>
        <button class="plain" onClick=${() => help.current.showModal()} aria-label="Keys">?</button>
        <button class="plain" onClick=${() => leave("")}>Log out</button></div></header>
    ${lost && html`<p class="banner" role="alert"><${Mark} tone="bad">Not live:<//> the control plane has told nothing since ${time(lost)} UTC, and what is shown is of then at best. It is asked again every few seconds. Guards go on by what they know: what was killed stays killed.</p>`}
    ${trouble && html`<p class="banner" role="alert"><${Mark} tone="bad">Degraded:<//> ${trouble}. What is shown may be old; kills still go out.</p>`}
    ${now.silent_s != null && html`<p class="banner" role="alert"><${Mark} tone="bad">Nobody watches:<//> the flow has told nothing for ${seconds(now.silent_s)}. SLOs, incidents and drift are as they were then; signals still hold. Is <code>flyball flow</code> running? Its <code>/healthz</code> says what is wrong.</p>`}
    ${now.never_told && html`<p class="banner" role="alert"><${Mark} tone="warn">Nobody watches yet:<//> no flow has told anything into this log, so that nothing is listed here does not mean that all is well. <code>flyball up</code> starts all parts on one machine, <code>flyball flow</code> the flow alone, with the <code>--config</code> and <code>--data</code> of this control plane; runs come from agents that send spans (OTLP, or Kafka). Where it runs, its <code>/healthz</code> says what it reads.</p>`}
    ${!now.console.caught_up && html`<p class="banner"><${Mark} tone="info">Reading the log<//> of the last days: numbers still grow.</p>`}
    ${now.console.malformed > 0 && html`<p class="banner"><${Mark} tone="warn">Left out:<//> ${count(now.console.malformed)} ${now.console.malformed === 1 ? "record" : "records"} of the log could not be read. Does something else than Flyball, or a newer one, write to its topics?</p>`}
    <main id="main" tabindex="-1"><${Guarded} key=${at.view + at.id}><${Page} id=${at.id} query=${at.query} roles=${now.key.roles} over=${now} /><//></main>
    <${Help} dialog=${help} />`;
}

function App() {
  const [first, setFirst] = useState(null);
  const [why, setWhy] = useState("");
  const [tried, setTried] = useState(!session.key);
  const [away, setAway] = useState(null);  // why a key that is known could not be tried: it is kept
  function resume() {
    setAway(null);
    ask("/v1/console/overview").then(setFirst, (failure) => {
      if (failure.status === 401 || failure.status === 403) session.key = "";
      else setAway(failure);
    }).finally(() => setTried(true));
  }
  useEffect(() => { if (session.key) resume(); }, []);
  const leave = (reason) => { session.key = ""; setWhy(reason); setFirst(null); };
  if (away) return html`<main class="login"><${Problem} error=${away} again=${resume} /></main>`;
  if (first) return html`<${Frame} first=${first} leave=${leave} />`;
  return tried ? html`<${Login} why=${why} enter=${setFirst} />` : html`<p class="quiet">Loading…</p>`;
}

render(html`<${App} />`, document.getElementById("app"));
