// Signals that hold, and orders: kill, resume, throttle, bound. What an order would reach is shown before it is given.
import { ask, useAsk } from "./api.js";
import { Empty, Field, html, Loaded, Mark, Problem, Table, Time, count, named, scopeText, time, useEffect, useRef, useState, visible } from "./ui.js";

const LEVELS = ["run", "user", "agent", "workflow", "tenant", "product"];
const ORDERS = {
  kill: ["Kill", "kill", "All of it stops before its next tool call, until somebody resumes it."],
  throttle: ["Throttle", "configure", "Tool calls are slowed down."],
  bound: ["Bound", "configure", "Autonomy is taken back; agents go on within it."],
  resume: ["Resume", "resume", "All that rules and people ask of it is taken away."],
};
const BOUNDS = [["bounded", "bounded: within the configured tools"], ["human", "human: a person approves"], ["static", "static: reading only"]];
const NEUTRAL = { kill: false, level: "full", tools: null, deny: [], throttle: null };

export const stateWords = (state) => asks(state) || "nothing asked";

function asks(state) {
  const words = [];
  if (state.kill) words.push("killed");
  if (state.level !== "full") words.push(state.level);
  if (state.tools) words.push("only " + (state.tools.join(", ") || "no tool"));
  if (state.deny.length) words.push("without " + state.deny.join(", "));
  if (state.throttle) words.push([state.throttle.calls_per_minute != null && state.throttle.calls_per_minute + " calls/min", state.throttle.concurrency != null && state.throttle.concurrency + " at once"].filter(Boolean).join(", "));
  return words.filter(Boolean).join(" · ");
}

// What an order of this scope would reach; `path` is of what is typed now, `asked` of it once it is typed out.
function usePreview(scope, tenant) {
  const [words, setWords] = useState(null);
  const path = scope.id && "/v1/console/preview?" + new URLSearchParams({ level: scope.level, id: scope.id, ...(tenant && { tenant }) });
  useEffect(() => { const later = setTimeout(() => setWords(path), 250); return () => clearTimeout(later); }, [path]);
  const asked = useAsk(words, ["signals"]);
  return { path, asked, people: (path === words && asked.data?.people) || NEUTRAL };
}

// The state that an order asks: what people ask takes the place of all that people had asked, so it begins with that.
const throttled = (people, rate) => ({ ...people, throttle: { calls_per_minute: rate, concurrency: people.throttle?.concurrency ?? null } });
const bounded = (people, level) => ({ ...people, level });

function Kept({ people, order }) {
  if (order !== "throttle" && order !== "bound") return null;
  const rate = people.throttle?.calls_per_minute, slow = order === "throttle";
  const kept = asks(slow ? throttled(people, null) : bounded(people, "full"));
  const replaced = slow ? rate != null && rate + " calls/min" : people.level !== "full" && people.level;
  return html`${kept && html`<p><${Mark} tone="info">Keeps<//> what people have asked: ${kept}.</p>`}
    ${replaced && html`<p><${Mark} tone="info">Replaces<//> what people have asked: ${replaced}.</p>`}`;
}

const ofRun = ({ ended_at: ended }) => ended ? html`<${Mark} tone="warn">It has ended,<//> at ${time(ended)} UTC, as far as its spans tell: nothing of it may be left to stop.`
  : "It has no record yet: it goes on, or the id is wrong.";

function Preview({ path, asked, scope, tenant, order }) {
  if (!path) return html`<p class="quiet">Name what is meant, to see what it would reach.</p>`;
  return html`<div class="preview" aria-live="polite"><${Loaded} of=${asked}>${(seen) => html`
    <p><b>Reaches</b> ${scopeText(scope, tenant)}: it goes to <b>${count(seen.guards)}</b> ${seen.guards === 1 ? "guard" : "guards"} that are connected.</p>
    <p>${scope.level === "run" ? ofRun(seen) : seen.runs ? html`<b>${count(seen.runs)}</b> of its runs ended in the last ${seen.minutes} minutes${seen.users_count ? html`, of <b>${count(seen.users_count)}</b> users (${seen.users.map(named).join(", ")}${seen.users_count > seen.users.length ? ", …" : ""})` : ""}${seen.tenants_count ? html`, <b>${count(seen.tenants_count)}</b> tenants (${seen.tenants.map(named).join(", ")})` : ""}.` : seen.current ? `None of its runs ended in the last ${seen.minutes} minutes: is the name right? Open runs have no record yet.` : "Which of its runs ended of late is not known: the log is not read up now."}</p>
    ${seen.already.map((each) => html`<p><${Mark} tone="warn">Already asked:<//> ${stateWords(each.state)} by ${each.rule}</p>`)}
    <${Kept} people=${seen.people} order=${order} />
    ${seen.two_people && order === "resume" && html`<p><${Mark} tone="warn">Two people<//> must resume a killed product, within ten minutes, each with a key of their own.</p>`}`}<//></div>`;
}

function Dialog({ given, close, roles }) {
  const dialog = useRef(null);
  const [order, setOrder] = useState(given.order);
  const [scope, setScope] = useState(given.scope);
  const [tenant, setTenant] = useState(given.tenant || "");
  const [reason, setReason] = useState("");
  const [typed, setTyped] = useState(null);
  const [chosen, setChosen] = useState(null);
  const preview = usePreview(scope, tenant);
  const { people } = preview;
  const rate = typed ?? people.throttle?.calls_per_minute ?? 30;
  const level = chosen ?? (people.level === "full" ? "bounded" : people.level);
  const [result, setResult] = useState(null);
  const [busy, setBusy] = useState(false);
  const [seen, setSeen] = useState(null);  // where signals stood when the dialog opened: a resume ends no newer kill
  useEffect(() => { if (!seen && preview.asked.data) setSeen(preview.asked.data.at); }, [seen, preview.asked.data]);
  useEffect(() => dialog.current.showModal(), []);
  const allowed = roles.includes(ORDERS[order][1]);
  async function give(event) {
    event.preventDefault();
    setBusy(true);
    const body = { scope, ...(tenant && { tenant }), ...(reason && { reason }) };
    try {
      if (order === "throttle" || order === "bound") {
        const { people: now } = await ask(preview.path);
        if (asks(now) !== asks(people)) {  // the dialog has shown something else, or not yet anything
          preview.asked.reload();
          setResult({ tone: "warn", words: "Not given yet: people have asked of it: " + stateWords(now) + ". Look at what is kept and replaced, then give it again." });
          return setBusy(false);
        }
        body.state = order === "throttle" ? throttled(now, Number(rate)) : bounded(now, level);
      }
      if (order === "resume" && seen) body.seen = seen;
      const said = await ask(order === "kill" || order === "resume" ? "/v1/" + order : "/v1/set", body);
      if (said.needs === "second_person") setResult({ tone: "warn", words: said.message + " The other one does the same, here or by `flyball resume product`." });
      else if (said.degraded) setResult({ tone: "bad", words: "Given out, but not written yet: " + said.degraded });
      else close();
    } catch (error) {
      setResult({ error });
      if (error.status === 409) {  // what came between is shown now, and the order may be given again
        preview.asked.reload();
        ask(preview.path).then(({ at }) => setSeen(at), () => {});
      }
    }
    setBusy(false);
  }
  const move = (name) => setScope({ level: name, id: name === "product" ? "*" : scope.level === "product" ? "" : scope.id });
  return html`<dialog ref=${dialog} class="order" aria-labelledby="order" onClose=${close}>
    <form onSubmit=${give}>
      <h2 id="order">${ORDERS[order][0]} ${scope.id && scopeText(scope, tenant)}</h2>
      <div class="row">
        <${Field} label="Order"><select value=${order} onChange=${(e) => { setOrder(e.target.value); setResult(null); }}>
          ${Object.entries(ORDERS).map(([name, [label, role]]) => html`<option value=${name} disabled=${!roles.includes(role)}>${label}</option>`)}</select><//>
        <${Field} label="Scope"><select value=${scope.level} onChange=${(e) => move(e.target.value)}>${LEVELS.map((each) => html`<option>${each}</option>`)}</select><//>
        ${scope.level !== "product" && html`<${Field} label=${"Name of the " + scope.level}><input required value=${scope.id} spellcheck=${false} autocomplete="off" onInput=${(e) => setScope({ ...scope, id: e.target.value.trim() })} /><//>`}
        ${scope.level !== "tenant" && html`<${Field} label="Only of tenant"><input value=${tenant} placeholder="all" spellcheck=${false} autocomplete="off" onInput=${(e) => setTenant(e.target.value.trim())} /><//>`}
      </div>
      <p class="quiet">${ORDERS[order][2]}</p>
      ${order === "throttle" && html`<${Field} label="Tool calls a minute"><input type="number" min="0" required value=${rate} onInput=${(e) => setTyped(e.target.value)} /><//>`}
      ${order === "bound" && html`<${Field} label="Autonomy"><select value=${level} onChange=${(e) => setChosen(e.target.value)}>${BOUNDS.map(([name, label]) => html`<option value=${name}>${label}</option>`)}</select><//>`}
      <${Field} label="Reason, for people and the audit log"><input required maxlength="300" value=${reason} autocomplete="off" onInput=${(e) => setReason(e.target.value)} /><//>
      <${Preview} ...${preview} scope=${scope} tenant=${tenant} order=${order} />
      ${result?.error && html`<${Problem} error=${result.error} />`}
      ${result?.words && html`<p role="alert"><${Mark} tone=${result.tone}>${result.words}<//></p>`}
      ${!allowed && html`<p role="alert"><${Mark} tone="warn">Your key has not the role ${ORDERS[order][1]}.<//></p>`}
      <div class="buttons"><button type="button" onClick=${() => dialog.current.close()}>Cancel</button>
        <button class=${order === "kill" ? "danger" : "primary"} disabled=${busy || !allowed}>${ORDERS[order][0]} now</button></div>
    </form></dialog>`;
}

// A button that opens the dialog of an order; other views use it too.
export function Order({ order, scope, tenant, roles, children, tone = "" }) {
  const [open, setOpen] = useState(false);
  const may = roles.includes(ORDERS[order][1]);
  return html`<button class=${tone} disabled=${!may} title=${may ? "" : "your key has not the role " + ORDERS[order][1]} onClick=${() => setOpen(true)}>${children || ORDERS[order][0]}</button>
    ${open && html`<${Dialog} given=${{ order, scope, tenant }} roles=${roles} close=${() => setOpen(false)} />`}`;
}

// The newest order of people about a place, which names the person and why; the signal itself goes to agents, and does not.
function ordered(entries, { scope, tenant, sources }) {
  const here = ({ what, tenant: of }) => what.scope?.level === scope.level && what.scope.id === scope.id && (of ?? null) === (tenant ?? null);
  return sources.operator && entries.find((entry) => ["kill", "set"].includes(entry.what.command) && here(entry));
}

function Row({ each, roles, by }) {
  const tone = each.state.kill ? "bad" : "warn";
  const complete = each.applied.clients > 0 && each.applied.applied === each.applied.clients;
  return html`<tr><td class="name"><${Mark} tone=${tone}>${stateWords(each.state)}<//></td>
    <td class="name">${each.scope.level === "run" ? html`<span>run:<${RunName} id=${each.scope.id} /></span>` : scopeText(each.scope, each.tenant)}</td>
    <td class="name">${Object.keys(each.sources).map((name) => name === "operator" && by ? name + " " + by.actor : name).join(", ")}</td>
    <td class="wrap">${visible(each.reason || "")}${by?.what.reason && html` “${by.what.reason}”`}</td>
    <td><${Mark} tone=${complete ? "good" : each.applied.clients ? "warn" : "off"}>${each.applied.clients ? each.applied.text : "no guard is there"}<//></td>
    <td><${Time} at=${each.issued_at} /></td>
    <td class="actions"><${Order} order="resume" scope=${each.scope} tenant=${each.tenant} roles=${roles} />
      ${!each.state.kill && html`<${Order} order="kill" scope=${each.scope} tenant=${each.tenant} roles=${roles} tone="danger" />`}</td></tr>`;
}

const RunName = ({ id }) => html`<a class="id" href=${"#/runs/" + id}>${id.slice(0, 12)}</a>`;

export function Signals({ roles }) {
  const asked = useAsk("/v1/status", ["signals"]);
  const orders = useAsk("/v1/console/audit?kind=command", ["signals"]);
  const entries = orders.data?.entries || [];
  const blank = { level: "workflow", id: "" };
  return html`<div class="head"><h1>Signals</h1><div class="buttons">
      <${Order} order="kill" scope=${blank} roles=${roles} tone="danger">Kill…<//><${Order} order="throttle" scope=${blank} roles=${roles}>Throttle…<//>
      <${Order} order="bound" scope=${blank} roles=${roles}>Bound…<//></div></div>
    <${Loaded} of=${asked}>${(now) => html`
      <p class="summary"><span><b>${count(now.clients)}</b> guards connected</span> <span><b>${count(now.scopes.length)}</b> scopes under a signal</span>
        <span class="quiet">epoch ${now.epoch}, sequence ${now.seq}</span></p>
      ${now.scopes.length ? html`<${Table} label="Signals" heads=${["State", "Scope", "Asked by", "Reason", "Applied", "Since (UTC)", "Orders"]}>
        ${now.scopes.map((each) => html`<${Row} key=${JSON.stringify([each.scope, each.tenant])} each=${each} roles=${roles} by=${ordered(entries, each)} />`)}<//>`
      : html`<${Empty}>Every agent runs freely: no rule and no person asks anything of any scope. What rules may ask is in <code>policy.yaml</code>.<//>`}`}<//>`;
}
