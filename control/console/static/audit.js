// The audit log, the newest entries first, by kind, person and scope. Of arguments it holds digests only.
import { useAsk } from "./api.js";
import { Empty, Field, html, Loaded, Mark, Table, Time, called, scopeText, useLayoutEffect, useState, visible } from "./ui.js";

const TONES = { command: "warn", verdict: "info", decision: "info", key: "info", unreadable: "bad", lost: "bad", start: "off", stop: "off" };

function words(entry) {
  const { kind, what } = entry;
  const scope = what.scope ? scopeText(what.scope, entry.tenant) : "";
  if (kind === "command") return [what.command, scope, what.reason && "“" + what.reason + "”", what.second && "with " + what.second];
  if (kind === "verdict") return [what.action, scope, what.reason, what.changed ? "" : "(changes nothing)"];
  if (kind === "decision") return [what.decision, what.tool && visible(what.tool), what.reason_code];
  if (kind === "key") return [what.revoked ? "revoked" : "made", what.id, what.person || what.agent];
  return [what.problem, what.epoch && "epoch " + what.epoch, what.decisions && what.decisions + " decisions"];
}

const hash = (said) => "#/audit?" + new URLSearchParams(Object.entries(said).filter(([, value]) => value));

// The search is in the address, so that it can be linked and gone back to; `before` is where an older page begins.
export function Audit({ query }) {
  const said = Object.fromEntries(query);
  const [form, setForm] = useState(said);
  useLayoutEffect(() => setForm(said), [query.toString()]); // before it is painted: nothing that is entered then is lost
  const asked = useAsk("/v1/console/audit?" + query, said.before ? [] : ["audit"]);
  const set = (name) => (event) => setForm({ ...form, [name]: event.target.value });
  const submit = (event) => {
    event.preventDefault();
    location.hash = hash({ ...form, who: form.who?.trim(), about: form.about?.trim(), before: "" });
  };
  const narrowed = said.kind || said.who || said.about;
  return html`<h1>Audit</h1><form class="search" role="search" onSubmit=${submit}>
      <${Field} label="Kind"><select value=${form.kind || ""} onChange=${set("kind")}><option value="">all</option>${Object.keys(TONES).map((each) => html`<option>${each}</option>`)}</select><//>
      <${Field} label="Who (part of a name)"><input value=${form.who || ""} spellcheck=${false} autocomplete="off" onInput=${set("who")} /><//>
      <${Field} label="About (scope, tenant, tool, words)"><input value=${form.about || ""} placeholder="user:ann" spellcheck=${false} autocomplete="off" onInput=${set("about")} /><//>
      <div class="buttons"><button class="primary">Search</button><a class="button" href="#/audit">Clear</a></div></form>
    <${Loaded} of=${asked}>${({ entries, next, height, signed }) => html`
      <p class="summary"><span><b>${height}</b> entries in the chain</span> <span>${height - signed} after the last signed checkpoint</span> <span class="quiet"><code>flyball audit verify</code> walks all of it</span></p>
      ${entries.length ? html`<${Table} label="Audit" heads=${[["No.", "n"], "When (UTC)", "Kind", "Who", "What"]}>${entries.map((each) => html`<tr key=${each.n}>
        <td class="n">${each.n}</td><td><${Time} at=${each.at} /></td><td><${Mark} tone=${TONES[each.kind] || "off"}>${each.kind}<//></td><td class="name">${called(each.actor)}</td>
        <td class="wrap">${words(each).filter(Boolean).join(" · ")}</td></tr>`)}<//>`
        : html`<${Empty}>${next ? "None of the entries from no. " + next + " on fits." : narrowed ? "No entry fits." : "There is no entry."}<//>`}
      <p class="row">${next > 0 && html`<a class="button" href=${hash({ ...said, before: next })}>Older entries</a>`} ${said.before && html`<a class="button" href=${hash({ ...said, before: "" })}>Newest entries</a>`}</p>`}<//>`;
}
