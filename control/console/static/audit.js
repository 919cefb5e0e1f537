// The newest entries of the audit log, the newest first. Of arguments it holds digests only.
import { useAsk } from "./api.js";
import { Empty, html, Loaded, Mark, Table, Time, scopeText, useState } from "./ui.js";

const TONES = { command: "warn", verdict: "info", decision: "info", key: "info", unreadable: "bad", lost: "bad" };

function words(entry) {
  const { kind, what } = entry;
  const scope = what.scope ? scopeText(what.scope, entry.tenant) : "";
  if (kind === "command") return [what.command, scope, what.reason && "“" + what.reason + "”", what.second && "with " + what.second];
  if (kind === "verdict") return [what.action, scope, what.reason, what.changed ? "" : "(changes nothing)"];
  if (kind === "decision") return [what.decision, what.tool, what.reason_code];
  if (kind === "key") return [what.revoked ? "revoked" : "made", what.id, what.person || what.agent];
  return [what.problem, what.epoch && "epoch " + what.epoch, what.decisions && what.decisions + " decisions"];
}

export function Audit() {
  const [kind, setKind] = useState("");
  const asked = useAsk("/v1/console/audit" + (kind && "?kind=" + kind), ["audit"]);
  return html`<div class="head"><h1>Audit</h1><label class="field"><span>Kind</span><select value=${kind} onChange=${(e) => setKind(e.target.value)}>
      <option value="">all</option>${Object.keys(TONES).map((each) => html`<option>${each}</option>`)}</select></label></div>
    <${Loaded} of=${asked}>${({ entries, height, signed }) => html`
      <p class="summary"><span><b>${height}</b> entries in the chain</span> <span>${height - signed} after the last signed checkpoint</span> <span class="quiet"><code>flyball audit verify</code> walks all of it</span></p>
      ${entries.length ? html`<${Table} label="Audit" heads=${[["No.", "n"], "When (UTC)", "Kind", "Who", "What"]}>${entries.map((each) => html`<tr key=${each.n}>
        <td class="n">${each.n}</td><td><${Time} at=${each.at} /></td><td><${Mark} tone=${TONES[each.kind] || "off"}>${each.kind}<//></td><td class="name">${each.actor}</td>
        <td class="wrap">${words(each).filter(Boolean).join(" · ")}</td></tr>`)}<//>` : html`<${Empty}>There is no entry of this kind among the newest.<//>`}`}<//>`;
}
