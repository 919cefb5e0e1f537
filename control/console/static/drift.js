// Streams with evidence that behaviour has changed.
import { useAsk } from "./api.js";
import { Bar, Empty, html, Loaded, Mark, Pairs, Table, Time, called, named, visible } from "./ui.js";

const digits = (value) => typeof value === "number" ? value.toFixed(1) : "–";

// "Up" alone reads as good news of task_success, of which it is failures that rose.
const way = ({ direction, worse }) => worse == null ? direction : direction + (worse ? ", worse" : ", better");

function Row({ each }) {
  const { contrast } = each;
  return html`<tr><td><${Mark} tone=${each.alarm ? (each.worse ? "bad" : "warn") : "info"}>${each.alarm ? "alarm" : "near"}<//></td>
    <td class="wrap"><details><summary>${visible(each.summary || each.sli)}</summary><${Pairs} of=${each.effect} />
      ${each.rolled_out?.length > 0 && html`<p>Rolled out around then: ${each.rolled_out.map((one) => typeof one === "object" ? Object.values(one).join(" ") : one).join(", ")}</p>`}</details></td>
    <td class="name">${called(each.workflow)}</td><td>${each.sli}</td><td class="name">${contrast.dimension}${contrast.from != null && html`: ${named(String(contrast.from))} → ${named(String(contrast.to))}${contrast.tool ? html`, ${named(String(contrast.tool))}` : ""}`}</td>
    <td>${way(each)}</td><td class="budget"><span class="n">${digits(each.evidence)} / ${digits(each.threshold)}</span>
      <${Bar} ratio=${each.evidence / each.threshold || 0} tone=${each.alarm ? "bad" : "warn"} label="evidence" /></td>
    <td>${each.since ? html`<${Time} at=${each.since} />` : "–"}</td><td><${Time} at=${each.at} /></td></tr>`;
}

// Streams, one a row; the incident of drift has those that it was opened for.
export function Streams({ of }) {
  return html`<${Table} label="Drift" heads=${["State", "What changed", "Workflow", "SLI", "Against", "Way", "Evidence / threshold", "Since (UTC)", "Looked (UTC)"]}>
      ${of.map((each) => html`<${Row} key=${JSON.stringify([each.watch, each.detector, each.sli, each.workflow, each.contrast])} each=${each} />`)}<//>
    <p class="quiet">Evidence and threshold are decimal logarithms; an alarm comes when the first reaches the second.</p>`;
}

export function Drift() {
  const asked = useAsk("/v1/console/drift", ["drift"]);
  return html`<h1>Drift</h1><${Loaded} of=${asked}>${({ drift }) => drift.length
    ? html`<${Streams} of=${drift} /><p class="quiet"><code>flyball drift</code> has more.</p>`
    : html`<${Empty}>No stream has evidence of drift. Evidence is told from the moment a stream comes near its alarm; baselines need some hundred runs first.<//>`}<//>`;
}
