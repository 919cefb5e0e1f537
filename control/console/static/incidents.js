// Open incidents first; one opened shows evidence, runs and its runbook.
import { useAsk } from "./api.js";
import { Streams } from "./drift.js";
import { Order } from "./signals.js";
import { Empty, html, Loaded, Mark, Pairs, RunLink, Table, Time, ago, count, scopeText, time, visible } from "./ui.js";

const TONES = { "SEV-1": "bad", "SEV-2": "warn", "SEV-3": "info" };

// As orders name it; what nobody can give orders to is named as it was told.
const whose = ({ place, scope, tenant }) => place ? scopeText(place.scope, place.tenant) : scope.level === "product" ? scope.id : scopeText(scope, tenant);

function Row({ each }) {
  const open = each.status === "open";
  return html`<tr><td><${Mark} tone=${open ? TONES[each.severity] : "off"}>${each.severity}<//></td>
    <td class="wrap"><a href=${"#/incidents/" + encodeURIComponent(each.key)}>${visible(each.title)}</a></td>
    <td class="name">${whose(each)}</td><td>${each.class}</td><td class="name">${each.owner}</td>
    <td><${Time} at=${each.opened_at} /></td><td>${open ? "open " + ago(each.opened_at) : html`<${Time} at=${each.resolved_at} />`}</td></tr>`;
}

export function Incidents({ over }) {
  const asked = useAsk("/v1/console/incidents", ["incident"]);
  return html`<h1>Incidents</h1><${Loaded} of=${asked}>${({ incidents, more }) => {
    const heads = ["Severity", "What", "Scope", "Class", "Owner", "Opened (UTC)", "State"];
    const open = incidents.filter((each) => each.status === "open"), past = incidents.filter((each) => each.status !== "open");
    return html`<h2>Open <span class="badge">${open.length + more}</span></h2>
      ${open.length ? html`<${Table} label="Open incidents" heads=${heads}>${open.map((each) => html`<${Row} key=${each.key} each=${each} />`)}<//>`
        : !over.console.caught_up || over.console.problem ? html`<${Empty}>None was read so far: the log is not read up now, so one may be open. Pages go out by themselves.<//>`
        : html`<${Empty}>Nothing is open. An incident opens when an SLO burns, a run runs away, a budget is spent, behaviour drifts, or telemetry stops.<//>`}
      ${more > 0 && html`<p class="quiet">${count(more)} more are open, none of them graver than these; <code>flyball records flyball.incidents</code> has each.</p>`}
      <h2>Resolved</h2>
      ${past.length ? html`<${Table} label="Resolved incidents" heads=${heads}>${past.map((each) => html`<${Row} key=${each.key} each=${each} />`)}<//>`
        : html`<${Empty}>None was resolved within what the log keeps.<//>`}`;
  }}<//>`;
}

// Code, bold and emphasis of one line of Markdown; what is none stays text.
function inline(text) {
  return text.replace(/\s*\n\s*/g, " ").split(/(`[^`]+`|\*\*[^*]+\*\*|\*[^*\s][^*]*\*)/).map((part) => {
    if (part.startsWith("`")) return html`<code>${part.slice(1, -1)}</code>`;
    if (part.startsWith("**")) return html`<b>${part.slice(2, -2)}</b>`;
    return /^\*.+\*$/.test(part) ? html`<em>${part.slice(1, -1)}</em>` : part;
  });
}

// One of a list, which may have a list of its own below it.
function Item({ text }) {
  const [first, ...below] = text.split(/\n\s+[-*]\s+/);
  return html`<li>${inline(first)}${below.length > 0 && html`<ul>${below.map((each) => html`<li>${inline(each)}</li>`)}</ul>`}</li>`;
}

function Part({ text }) {
  const head = /^(#+)\s+(.*)$/.exec(text);
  if (head) return html`<h3>${head[2]}</h3>`;
  if (text.startsWith("```")) return html`<pre>${text.replace(/```\w*\n?/g, "")}</pre>`;
  const list = /^(\d+\.|[-*])\s/.exec(text);
  if (!list) return html`<p>${inline(text)}</p>`;
  const items = text.split(/\n(?=\d+\.\s|[-*]\s)/).map((line) => html`<${Item} text=${line.replace(/^(\d+\.|[-*])\s+/, "")} />`);
  return list[1].length > 1 ? html`<ol start=${parseInt(list[1], 10)}>${items}</ol>` : html`<ul>${items}</ul>`;
}

// A runbook's Markdown as elements, never as markup of its own.
function Runbook({ text }) {
  const parts = text.split(/(```[\s\S]*?```)|\n\s*\n|(?<=^#.*)\n/m).filter((part) => part?.trim());
  return html`<div class="runbook">${parts.map((part) => html`<${Part} text=${part.trim()} />`)}</div>`;
}

// What an objective says by itself is to be done: an address, or words.
function Own({ text }) {
  return html`<p>${/^https?:\/\/\S+$/.test(text) ? html`<a href=${text} rel="noreferrer">${text}</a>` : text}</p>`;
}

const MEAN = (value) => Number(value.toPrecision(3)).toString();
const NAMES = { slices: "Whose runs they are", behaviour: "What they do" };

// One question that was put to unseen runs, with what answers it.
function Question({ name, of }) {
  const auc = of.auc == null ? "" : ` (AUC ${of.auc.toFixed(2)}; 0.5: not at all)`;
  const more = of.still_needed == null ? "" : `: ${of.still_needed} more runs a side are needed`;
  return html`<h3>${NAMES[name]}</h3><p><b>${of.verdict}</b>${more}${auc}</p>
    ${of.by.length > 0 && html`<${Table} label=${NAMES[name]} heads=${["Feature", ["A run, before", "n"], ["A run, after", "n"], ["AUC lost without it", "n"]]}>
      ${of.by.map((each) => html`<tr key=${each.feature}><td>${each.feature}</td><td class="n">${MEAN(each.before)}</td><td class="n">${MEAN(each.after)}</td><td class="n">${each.loss.toFixed(3)}</td></tr>`)}<//>`}`;
}

function Examples({ name, runs }) {
  return html`<p>${runs.length ? html`Runs ${name}: ${runs.map((run) => html`<${RunLink} key=${run} id=${run} /> `)}` : `No run ${name} is known here.`}</p>`;
}

// What sets runs of drift apart: computed in the background once the incident is open.
function Explained({ of }) {
  if (!of) return html`<${Empty}>Not looked at yet: open incidents are explained one after the other, within a minute or so.<//>`;
  if (of.problem) return html`<${Empty}>It could not be computed: ${of.problem}. It is tried again while the incident is open.<//>`;
  return html`<p class="quiet">${of.runs.before} ${of.sides.before}; ${of.runs.after} ${of.sides.after}${of.of && ` (run records do not say this dimension: ${of.of})`}. Looked at ${time(of.at)} UTC.</p>
    ${Object.keys(NAMES).map((name) => html`<${Question} key=${name} name=${name} of=${of[name]} />`)}
    <${Examples} name="before" runs=${of.examples.before} /><${Examples} name="after" runs=${of.examples.after} />`;
}

const stream = (each) => each && typeof each === "object" && typeof each.contrast?.dimension === "string" && typeof each.sli === "string";

// What it was opened for. Streams of drift say a dozen things each: they are a table, as in the view of all.
function Evidence({ of: { evidence, rule } }) {
  const { contrasts, ...rest } = evidence || {};
  if (!Array.isArray(contrasts) || !contrasts.length || !contrasts.every(stream)) return html`<${Pairs} of=${evidence} rule=${rule} />`;
  return html`<${Streams} of=${contrasts} /><${Pairs} of=${rest} rule=${rule} />`;
}

export function Incident({ id, roles }) {
  const asked = useAsk("/v1/console/incidents/" + encodeURIComponent(id), ["incident"]);
  return html`<p><a href="#/incidents">← Incidents</a></p><${Loaded} of=${asked}>${({ incident: each, runbook, own_runbook: own, explained }) => html`
    <div class="head"><h1><${Mark} tone=${each.status === "open" ? TONES[each.severity] : "off"}>${each.severity}<//> ${visible(each.title)}</h1>
      ${each.place && html`<div class="buttons"><${Order} order="kill" ...${each.place} roles=${roles} tone="danger">Kill ${each.place.scope.level}…<//>
        <${Order} order="throttle" ...${each.place} roles=${roles}>Throttle…<//></div>`}</div>
    <p>${visible(each.summary || "")}</p>
    <${Pairs} of=${{ status: each.status, opened: time(each.opened_at), resolved: each.resolved_at && time(each.resolved_at), scope: whose(each), rule: each.rule, class: each.class, owner: each.owner, revision: each.revision }} />
    <h2>Evidence</h2><${Evidence} of=${each} />
    ${each.class === "drift" && html`<h2>What sets its runs apart</h2><${Explained} of=${explained} />`}
    <h2>Runs</h2>${each.runs.length ? html`<ul class="inline">${each.runs.map((run) => html`<li key=${run}><${RunLink} id=${run} /></li>`)}</ul>` : html`<${Empty}>It names no run.<//>`}
    <h2>Runbook</h2>${own && html`<${Own} text=${own} />`}${runbook ? html`<${Runbook} text=${runbook} />` : html`<${Empty}>No runbook of the class ${each.class} is shipped.<//>`}`}<//>`;
}
