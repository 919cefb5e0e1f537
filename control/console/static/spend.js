// What users, tenants and workflows have spent, those nearest to their limit first.
import { useAsk } from "./api.js";
import { Order } from "./signals.js";
import { Bar, Empty, Field, html, Loaded, Mark, Table, count, percent, scopeText, usd, useState } from "./ui.js";

// A day or month that is over holds nobody up any more, whatever was spent in it.
const tone = (ratio, now) => ratio == null || !now ? "off" : ratio >= 1 ? "bad" : ratio >= 0.75 ? "warn" : "good";
const word = (ratio, now) => ratio == null ? "no limit" : (now ? "" : "was ") + (ratio >= 1 ? "over" : ratio >= 0.75 ? "near" : "within");

function Row({ each, roles }) {
  const { used_ratio: ratio, is_now: now } = each;
  return html`<tr><td class="name">${scopeText(each, each.tenant)}</td><td>${each.period} ${each.start}</td><td><${Mark} tone=${tone(ratio, now)}>${word(ratio, now)}<//></td>
    <td class="n">${usd(each.cost_usd)}</td><td class="n">${usd(each.limit_usd)}</td>
    <td class="budget"><span class="n">${percent(ratio)}</span>${ratio != null && html`<${Bar} ratio=${ratio} tone=${tone(ratio, now)} label=${"used " + percent(ratio)} />`}</td>
    <td class="n">${count(each.tokens)}</td><td class="n">${count(each.runs)}</td>
    <td class="actions">${each.level !== "product" && html`<${Order} order="throttle" scope=${{ level: each.level, id: each.id }} tenant=${each.tenant} roles=${roles}>Throttle…<//>`}</td></tr>`;
}

export function Spend({ roles }) {
  const [level, setLevel] = useState("");
  const [name, setName] = useState("");
  const [near, setNear] = useState(false);
  const asked = useAsk("/v1/console/spend?" + new URLSearchParams({ ...(level && { level }), ...(name && { name }) }), ["spend"]);
  return html`<div class="head"><h1>Spend</h1><div class="row"><${Field} label="Of"><select value=${level} onChange=${(e) => setLevel(e.target.value)}>
      <option value="">all</option>${["user", "tenant", "workflow", "agent", "product"].map((each) => html`<option>${each}</option>`)}</select><//>
      <${Field} label="Name has"><input value=${name} spellcheck=${false} autocomplete="off" onInput=${(e) => setName(e.target.value.trim())} /><//>
      <label class="check"><input type="checkbox" checked=${near} onChange=${(e) => setNear(e.target.checked)} /> at 75 % of a budget, or over</label></div></div>
    <${Loaded} of=${asked}>${({ spend, more }) => {
      const rows = spend.filter((each) => !near || (each.is_now && each.used_ratio >= 0.75));
      return rows.length ? html`<${Table} label="Spend" heads=${["Whose", "Period", "Status", ["Spent", "n"], ["Limit", "n"], "Used", ["Tokens", "n"], ["Runs", "n"], "Orders"]}>
          ${rows.map((each) => html`<${Row} key=${JSON.stringify([each.level, each.id, each.tenant, each.period])} each=${each} roles=${roles} />`)}<//>
        ${more > 0 && html`<p class="quiet">${count(more)} more, with less of a limit used; <code>GET /v1/usage</code> has each.</p>`}`
        : html`<${Empty}>${spend.length || level || name ? "Nobody fits this." : "No spend has been told yet. It is told for users, tenants and workflows once runs carry costs or tokens; limits are in policy.yaml under budgets."}<//>`;
    }}<//>`;
}
