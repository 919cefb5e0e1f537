// Search of runs. The search is in the address, so that it can be linked and gone back to.
import { ask, useAsk } from "./api.js";
import { Empty, Field, html, Loaded, Mark, Problem, RunLink, Table, Time, count, seconds, usd, useEffect, useState } from "./ui.js";

const FIELDS = [["text", "Run id begins"], ["workflow", "Workflow"], ["user", "User"], ["tenant", "Tenant"], ["tool", "Tool"], ["agent", "Agent"], ["version", "Version"]];
const OUTCOMES = { success: "good", failure: "bad", unknown: "off" };
const SINCE = [["", "any time"], ["15", "15 minutes"], ["60", "an hour"], ["1440", "a day"], ["4320", "3 days"]];

function queryOf(form) {
  const said = Object.fromEntries([...form].filter(([, value]) => value));
  const query = new URLSearchParams(said);
  query.delete("minutes");
  if (said.minutes) query.set("since", new Date(Date.now() - said.minutes * 6e4).toISOString().slice(0, 19) + "Z");
  return query.toString();
}

function Row({ run }) {
  return html`<tr><td><${RunLink} id=${run.run_id} /></td><td><${Mark} tone=${OUTCOMES[run.outcome] || "off"}>${run.outcome}<//></td>
    <td>${run.workflow}</td><td>${run.user ?? "–"}</td><td>${run.tenant ?? "–"}</td><td>${run.version ?? "–"}</td>
    <td class="n">${seconds(run.duration_s)}</td><td class="n">${count(run.llm_calls + run.tool_calls)}</td>
    <td class="n">${run.tool_errors ? html`<${Mark} tone="warn">${run.tool_errors}<//>` : 0}</td><td class="n">${usd(run.cost_usd)}</td><td><${Time} at=${run.ended_at} /></td></tr>`;
}

function Open({ runs }) {
  return html`<h2>Open, and judged <span class="badge">${runs.length}</span></h2>
    <${Table} label="Open runs" heads=${["Run", "Asked", "Rule", "Reason", "When (UTC)"]}>${runs.map((run) => html`<tr key=${run.run_id}><td><${RunLink} id=${run.run_id} /></td>
      <td><${Mark} tone=${run.action === "kill" ? "bad" : "warn"}>${run.action}<//></td><td>${run.rule}</td><td class="wrap">${run.reason}</td><td><${Time} at=${run.at} /></td></tr>`)}<//>`;
}

function More({ first, query }) {
  const [pages, setPages] = useState([]);
  const [error, setError] = useState(null);
  useEffect(() => setPages([]), [query]);
  const last = pages.at(-1) || first;
  const more = () => ask("/v1/console/runs?" + query + "&after=" + encodeURIComponent(last.next)).then((page) => setPages([...pages, page]), setError);
  return html`${first.runs.length > 0 && html`<${Table} label="Runs" heads=${["Run", "Outcome", "Workflow", "User", "Tenant", "Version", ["Took", "n"], ["Steps", "n"], ["Tool errors", "n"], ["Cost", "n"], "Ended (UTC)"]}>
      ${[first, ...pages].flatMap((page) => page.runs).map((run) => html`<${Row} key=${run.run_id} run=${run} />`)}<//>`}
    ${error && html`<${Problem} error=${error} again=${more} />`}
    ${last.next && html`<button onClick=${more}>Older runs</button>`}`;
}

export function Runs({ query, over }) {
  const [form, setForm] = useState(Object.fromEntries(query));
  const words = queryOf(query.entries());
  const asked = useAsk("/v1/console/runs?" + words, query.toString() ? [] : ["run"]);
  const set = (name) => (event) => setForm({ ...form, [name]: event.target.type === "checkbox" ? (event.target.checked ? "1" : "") : event.target.value });
  const submit = (event) => { event.preventDefault(); location.hash = "#/runs?" + new URLSearchParams(Object.entries(form).filter(([, value]) => value)); };
  const names = asked.data?.names || {};
  return html`<h1>Runs</h1>
    <form class="search" role="search" onSubmit=${submit}>
      ${FIELDS.map(([name, label]) => html`<${Field} label=${label}><input name=${name} value=${form[name] || ""} data-search=${name === "text" ? "" : undefined} list=${names[name] ? "names-" + name : undefined}
        spellcheck=${false} autocomplete="off" pattern=${name === "text" ? "[0-9a-f]{1,32}" : undefined} onInput=${set(name)} /><//>`)}
      <${Field} label="Outcome"><select name="outcome" value=${form.outcome || ""} onChange=${set("outcome")}><option value="">any</option>${Object.keys(OUTCOMES).map((each) => html`<option>${each}</option>`)}</select><//>
      <${Field} label="Ended within"><select name="minutes" value=${form.minutes || ""} onChange=${set("minutes")}>${SINCE.map(([value, label]) => html`<option value=${value}>${label}</option>`)}</select><//>
      <${Field} label="First"><select name="order" value=${form.order || "ended"} onChange=${set("order")}><option value="ended">newest</option><option value="cost">dearest</option><option value="steps">most steps</option><option value="duration">longest</option></select><//>
      <label class="check"><input type="checkbox" name="errors" checked=${form.errors === "1"} onChange=${set("errors")} /> a tool failed</label>
      <div class="buttons"><button class="primary">Search</button><a class="button" href="#/runs" onClick=${() => setForm({})}>Clear</a></div>
      ${Object.entries(names).map(([name, values]) => html`<datalist id=${"names-" + name}>${values.map((each) => html`<option value=${each} />`)}</datalist>`)}
    </form>
    <${Loaded} of=${asked}>${(page) => html`
      ${page.open?.length > 0 && html`<${Open} runs=${page.open} />`}
      ${page.runs.length ? html`<h2>Closed</h2><${More} first=${page} query=${words} />`
        : html`<${Empty}>${over.runs ? "No run that is kept here fits. The newest 50 000 are; take a condition away." : "No run has closed yet. A run is told when its root span has arrived, or after 15 minutes of silence."}<//>`}`}<//>`;
}
