// Every SLO at a glance, the emptiest budget first; one opened shows its budget and burn of the last hours.
import { useAsk } from "./api.js";
import { Chart, Spark } from "./chart.js";
import { Bar, Empty, html, Loaded, Mark, Pairs, Table, called, count, percent, time, useState, visible } from "./ui.js";

export function standing(slo) {
  const [tone, word] = told(slo);
  return slo.old ? ["off", "was: " + word] : [tone, word];
}

function told(slo) {
  if (!slo.total || slo.budget_remaining == null) return ["off", "no events"];
  if (slo.budget_remaining <= 0) return ["bad", "budget spent"];
  const burns = Object.values(slo.burn).filter((each) => each != null);
  if (slo.exhausts_at || Math.max(0, ...burns) >= 10) return ["warn", "burning"];
  return ["good", "holds"];
}

const UNITS = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };
const length = (window) => parseFloat(window) * (UNITS[window.at(-1)] || 1);

// The burn rates that there are, by length of their window.
function shortest(burn) {
  return Object.entries(burn).filter(([, value]) => value != null).sort(([a], [b]) => length(a) - length(b));
}

function Details({ slo }) {
  const points = (at) => slo.history.filter((each) => each[at] != null).map((each) => [Date.parse(each[0]) / 1000, each[at]]);
  return html`<div class="details">
    <div class="charts"><${Chart} title="Error budget left" points=${points(1)} format=${(v) => percent(v, 0)} />
      <${Chart} title="Fastest burn rate" points=${points(2)} format=${(v) => v.toFixed(1) + "×"} /></div>
    <h2>Burn rate by window</h2><${Pairs} of=${Object.fromEntries(shortest(slo.burn).map(([window, value]) => [window, value.toFixed(2) + "×"]))} />
    ${slo.spent_by?.length > 0 && html`<h2>Most bad events of the period</h2>
      <${Table} label="Spent by" heads=${["What", "Value", ["Bad", "n"], ["Total", "n"]]}>
        ${slo.spent_by.map((each) => html`<tr><td>${each.dimension}</td><td class="name">${called(each.value)}</td>
          <td class="n">${count(each.bad)}</td><td class="n">${count(each.total)}</td></tr>`)}<//>`}
    ${slo.workflow && html`<p><a href=${"#/runs?outcome=failure&workflow=" + encodeURIComponent(slo.workflow)}>Failed runs of ${visible(slo.workflow)}</a></p>`}
  </div>`;
}

function Row({ slo, open, toggle }) {
  const [tone, word] = standing(slo);
  const burn = shortest(slo.burn).slice(0, 3);
  return html`<tr class=${open ? "open" : ""}>
      <td class="name"><button class="expander" aria-expanded=${open} onClick=${toggle}>${slo.slo}</button></td>
      <td><${Mark} tone=${tone}>${word}<//>${slo.gate === "frozen" && html` <span class="badge">frozen</span>`}</td>
      <td class="n">${percent(slo.target, 2)}</td>
      <td class="n">${percent(slo.total ? 1 - slo.bad / slo.total : null, 2)}</td>
      <td class="budget"><span class="n">${percent(slo.budget_remaining)}</span>
        <${Bar} ratio=${slo.budget_remaining} tone=${tone} label=${"budget left " + percent(slo.budget_remaining)} /></td>
      <td><${Spark} values=${slo.history.map((each) => each[1])} label="budget left, last hours" /></td>
      <td class="burn">${burn.length ? burn.map(([window, value]) => html`<span key=${window}><small>${window}</small> ${value.toFixed(1)}×</span> `) : "–"}</td>
      <td class="n">${count(slo.bad)} / ${count(slo.total)}</td>
      <td>${slo.exhausts_at ? time(slo.exhausts_at) : "–"}</td></tr>
    ${open && html`<tr class="below"><td colspan="9"><${Details} slo=${slo} /></td></tr>`}`;
}

export function Slos({ id, over }) {
  const asked = useAsk("/v1/console/slos", ["slo", "silence"]);
  const [open, setOpen] = useState(id);
  return html`<h1>SLOs</h1><${Loaded} of=${asked}>${({ slos, more }) => {
    if (!slos.length) return html`<${Empty}>${over.never_told ? "No flow has ever told anything." : "No SLO has been told yet."} The flow tells each once a minute, from the first run on. Which there are: <code>flyball check</code>.<//>`;
    const tally = (tone) => slos.filter((slo) => !slo.old && standing(slo)[0] === tone).length;
    return html`<p class="summary"><${Mark} tone="bad">${tally("bad")} spent<//> <${Mark} tone="warn">${tally("warn")} burning<//>
        <${Mark} tone="good">${tally("good")} hold<//> <${Mark} tone="off">${tally("off")} without events<//>
        ${slos.some((slo) => slo.old) && html`<${Mark} tone="off">${slos.filter((slo) => slo.old).length} not told any more<//>`}
        <span class="quiet">as of ${time(slos.map((slo) => slo.at).sort().at(-1))} UTC</span></p>
      <${Table} label="SLOs" heads=${["SLO", "Status", ["Target", "n"], ["Now", "n"], "Budget left", "Hours", "Burn rate", ["Bad / total", "n"], "Gone by (UTC)"]}>
        ${slos.map((slo) => html`<${Row} key=${slo.slo} slo=${slo} open=${open === slo.slo} toggle=${() => setOpen(open === slo.slo ? "" : slo.slo)} />`)}<//>
      ${more > 0 && html`<p class="quiet">${count(more)} more, with more budget left than these, are in Grafana and in <code>flyball records flyball.slos</code>.</p>`}`;
  }}<//>`;
}
