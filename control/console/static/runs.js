// Search of runs. The search is in the address, so that it can be linked and gone back to.
import { ask, useAsk } from "./api.js";
import { Asked, Empty, Field, html, Loaded, Mark, Problem, RunLink, Table, Time, called, count, seconds, usd, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./ui.js";

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
    ${[run.workflow, run.user, run.tenant, run.version].map((each) => html`<td class="name">${called(each)}</td>`)}
    <td class="n">${seconds(run.duration_s)}</td><td class="n">${count(run.llm_calls + run.tool_calls)}</td>
    <td class="n">${run.tool_errors ? html`<${Mark} tone="warn">${run.tool_errors}<//>` : 0}</td><td class="n">${usd(run.cost_usd)}</td><td><${Time} at=${run.ended_at} /></td></tr>`;
}

function Open({ runs }) {
  return html`<h2>Judged, without a record yet <span class="badge">${runs.length}</span></h2>
    <${Table} label="Judged runs without a record" heads=${["Run", "Asked", "Rule", "Reason", "When (UTC)"]}>${runs.map((run) => html`<tr key=${run.run_id}><td><${RunLink} id=${run.run_id} /></td>
      <td><${Asked} of=${run} /></td><td>${run.rule}</td><td class="wrap">${run.reason}</td><td><${Time} at=${run.at} /></td></tr>`)}<//>`;
}

// Whether a list that goes on after `next` has come down to where one goes on after `old`; null: it is at its end.
function reaches(next, old, order) {
  if (next === null || old === null) return next === null;
  const [[value, run], [oldValue, oldRun]] = [next.split("~"), old.split("~")];
  if (value === oldValue) return run <= oldRun;
  return order === "ended" ? value < oldValue : Number(value) < Number(oldValue);
}

// All pages that are shown, each begun where the one before ended. When the first is fetched anew its end has moved: then
// the others are fetched anew too, down to where the list had come. Until they are there, the old list stands.
function usePages(first, query, order) {
  const [pages, setPages] = useState([first]);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const begun = useRef(first);
  async function walk(from, enough) {
    begun.current = from[0];
    setBusy(true);
    setError(null);
    try {
      const found = [...from];
      while (!enough(found)) found.push(await ask("/v1/console/runs?" + query + "&after=" + encodeURIComponent(found.at(-1).next)));
      setPages(found);
    } catch (failure) { setError(failure); }
    setBusy(false);
  }
  const renew = () => walk([first], (found) => pages.length === 1 || reaches(found.at(-1).next, pages.at(-1).next, order));
  const older = () => walk(pages, (found) => found.length > pages.length);
  useEffect(() => { if (!busy && begun.current !== first) renew(); }, [first, busy]);
  return { pages, busy, error, older, again: begun.current === pages[0] ? older : renew };
}

function More({ first, query, order }) {
  const { pages, busy, error, older, again } = usePages(first, query, order);
  return html`${pages[0].runs.length > 0 && html`<${Table} label="Runs" heads=${["Run", "Outcome", "Workflow", "User", "Tenant", "Version", ["Took", "n"], ["Steps", "n"], ["Tool errors", "n"], ["Cost", "n"], "Ended (UTC)"]}>
      ${[...new Map(pages.flatMap((page) => page.runs).map((run) => [run.run_id, run])).values()].map((run) => html`<${Row} key=${run.run_id} run=${run} />`)}<//>`}
    ${error && html`<${Problem} error=${error} again=${again} />`}
    ${pages.at(-1).next && html`<button disabled=${busy} onClick=${older}>Older runs</button>`}`;
}

export function Runs({ query, over }) {
  const [form, setForm] = useState(Object.fromEntries(query));
  useLayoutEffect(() => setForm(Object.fromEntries(query)), [query.toString()]);  // it is what the address asks, also after Back
  const [turn, setTurn] = useState(0);
  const words = useMemo(() => queryOf(query.entries()), [query.toString(), turn]);  // an hour before the search, not before now
  const asked = useAsk("/v1/console/runs?" + words, query.toString() ? [] : ["run", "verdict"]);
  const set = (name) => (event) => setForm({ ...form, [name]: event.target.type === "checkbox" ? (event.target.checked ? "1" : "") : name === "text" ? event.target.value.trim().toLowerCase() : event.target.value });
  const submit = (event) => {
    event.preventDefault();
    const hash = "#/runs?" + new URLSearchParams(Object.entries(form).filter(([, value]) => value));
    if (location.hash !== hash) location.hash = hash;
    else { setTurn(turn + 1); asked.reload(); }
  };
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
      ${page.runs.length ? html`<h2>Closed</h2><${More} key=${words} first=${page} query=${words} order=${query.get("order") || "ended"} />`
        : html`<${Empty}>${over.runs ? "No run that is kept here fits. The newest 50 000 are; take a condition away." : "No run has closed yet. A run is told when its root span has arrived, or after 15 minutes of silence."}<//>`}`}<//>`;
}
