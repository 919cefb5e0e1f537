// The flight recorder of one run: its spans in time, with verdicts and guards' decisions where they fell.
import { useAsk } from "./api.js";
import { Order, stateWords } from "./signals.js";
import { Asked, Empty, html, Loaded, Mark, Pairs, Table, Time, called, count, scopeText, seconds, time, usd, useEffect, visible } from "./ui.js";

const KINDS = { llm: "model", tool: "tool", run: "agent", guard: "guard", approval: "approval", evaluation: "evaluation", execution: "execution", bill: "bill", other: "" };
const number = (ns) => Number(BigInt(ns) / 1000n) / 1e6;

// Spans, verdicts and decisions as one list by time.
function moments({ spans, verdicts, decisions }) {
  const rows = spans.map((span) => ({ at: number(span.start_ns), span }));
  verdicts.forEach((verdict) => rows.push({ at: Date.parse(verdict.at) / 1000, verdict }));
  decisions.forEach((decision) => rows.push({ at: Date.parse(decision.at) / 1000, decision }));
  return rows.map((row, place) => ({ ...row, place })).sort((a, b) => a.at - b.at || a.place - b.place);
}

function Lane({ span, first, whole }) {
  const left = ((number(span.start_ns) - first) / whole) * 100;
  const width = Math.max(0.6, (span.duration_s / whole) * 100);
  return html`<svg class=${"lane " + (span.error ? "bad" : span.kind)} viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
    <rect class="track" width="100" height="8" /><rect class="fill" x=${Math.min(left, 99.4)} width=${width} height="8" /></svg>`;
}

function statusOf(span) {
  if (span.error) return html`<${Mark} tone="bad">${span.error}<//>`;
  if (span.decision) return span.decision === "block" ? html`<${Mark} tone="warn">blocked<//>` : "allowed";
  if (span.kind === "evaluation") return [span.label, span.score].filter((each) => each != null).join(" ") || "–";
  return "ok";
}

function SpanRow({ span, first, whole }) {
  const what = span.tool || span.model || span.agent || span.evaluation;
  const indent = span.depth ? "·".repeat(Math.min(span.depth, 12)) + " " : "";
  return html`<tr><td class="n">+${seconds(number(span.start_ns) - first)}</td>
    <td class="name"><span><span class="quiet" aria-hidden="true">${indent}</span><b>${visible(what || span.name)}</b> ${what && what !== span.name && html`<span class="quiet">${visible(span.name)}</span>`}</span></td>
    <td>${KINDS[span.kind] ?? span.kind}</td>
    <td class="name">${statusOf(span)}</td>
    <td class="n">${seconds(span.duration_s)}</td><td class="lanecell"><${Lane} span=${span} first=${first} whole=${whole} /></td>
    <td class="n">${span.input_tokens == null && span.output_tokens == null ? "" : count(span.input_tokens ?? 0) + " → " + count(span.output_tokens ?? 0)}</td>
    <td class="n">${count(span.tokens_so_far)}</td><td class="n">${usd(span.cost_usd_so_far)}</td></tr>`;
}

function Said({ row, first }) {
  const { verdict, decision } = row;
  const tone = decision?.command === "kill" ? "bad" : "warn";
  const words = verdict ? ["", "", verdict.rule, verdict.reason]
    : decision.kind === "command" ? ["order", decision.command, decision.actor, decision.reason]
      : ["guard", decision.decision, called(decision.tool), decision.reason_code];
  return html`<tr class="said"><td class="n">+${seconds(Math.max(0, row.at - first))}</td><td colspan="8" class="wrap">
    ${verdict ? html`<${Asked} of=${verdict} said="verdict: " />` : html`<${Mark} tone=${tone}>${words[0]}: ${words[1]}<//>`} ${words[2]} <span class="quiet">${words[3]}</span></td></tr>`;
}

function Timeline({ said }) {
  const rows = moments(said);
  if (!rows.length) return html`<${Empty}>Nothing of this run is in the log any more, or not yet: spans arrive when they end.<//>`;
  const starts = said.spans.map((span) => number(span.start_ns));
  const first = starts.length ? Math.min(...starts) : rows[0].at;
  const whole = Math.max(0.001, ...said.spans.map((span) => number(span.start_ns) + span.duration_s - first));
  return html`<${Table} label="Timeline" heads=${[["After", "n"], "What", "Kind", "Status", ["Took", "n"], "When", ["Tokens", "n"], ["So far", "n"], ["Cost so far", "n"]]}>
    ${rows.map((row) => row.span ? html`<${SpanRow} key=${row.span.id} span=${row.span} first=${first} whole=${whole} />` : html`<${Said} key=${row.place} row=${row} first=${first} />`)}<//>`;
}

const known = (name) => name && visible(name);

function Facts({ run, seen }) {
  if (!run && !seen) return html`<p><${Mark} tone="off">Unknown<//> Nothing of a run of this id is in the log: it is wrong, older than what is kept, or has not ended a span yet.</p>`;
  if (!run) return html`<p><${Mark} tone="info">No record<//> This run goes on, waits for its last spans, or is older than what is kept: what is below is what the log holds.</p>`;
  return html`<${Pairs} of=${{ outcome: run.outcome + (run.escalated ? ", escalated" : ""), workflow: known(run.workflow), agent: known(run.agent), version: known(run.version), environment: known(run.environment), user: known(run.user), tenant: known(run.tenant),
    started: time(run.started_at), took: seconds(run.duration_s), "closed by": run.closed_by, "model calls": run.llm_calls, "tool calls": run.tool_calls, "tool errors": run.tool_errors,
    tokens: count(run.input_tokens) + " → " + count(run.output_tokens), cost: usd(run.cost_usd) + " " + run.priced }} />`;
}

export function Run({ id, roles }) {
  const asked = useAsk("/v1/console/runs/" + id, ["signals"]);
  const scope = { level: "run", id };
  const said = asked.data;
  useEffect(() => {  // its spans are no news; each look reads the log, so after a long one the next waits longer
    if (!said || said.run) return undefined;
    const later = setTimeout(asked.reload, 3000 + said.read.bytes / 1e4);
    return () => clearTimeout(later);
  }, [said]);
  return html`<p><a href="#/runs">← Runs</a></p>
    <div class="head"><h1>Run <code class="id">${id}</code></h1><div class="buttons"><${Order} order="kill" scope=${scope} roles=${roles} tone="danger">Kill this run…<//></div></div>
    <${Loaded} of=${asked}>${(said) => html`
      ${said.signals.map((each) => html`<p class="banner"><${Mark} tone=${each.state.kill ? "bad" : "warn"}>${stateWords(each.state)}<//> ${each.reason} <${Order} order="resume" scope=${scope} roles=${roles} /></p>`)}
      <${Facts} run=${said.run} seen=${said.spans.length + said.verdicts.length + said.decisions.length > 0} />
      ${said.incidents.map((each) => html`<p><${Mark} tone="warn">${each.severity}<//> <a href=${"#/incidents/" + encodeURIComponent(each.key)}>${each.title}</a> (${each.status})</p>`)}
      <h2>Timeline</h2>
      ${said.read.problem && html`<p role="alert"><${Mark} tone="bad">${said.read.problem}<//></p>`}
      ${said.read.cut && html`<p><${Mark} tone="warn">Cut:<//> ${said.read.cut}; spans may be missing.</p>`}
      <${Timeline} said=${said} />
      <p class="quiet">${count(said.spans.length)} spans and log records. ${count(said.read.messages)} messages of the log were read for it (${(said.read.bytes / 1e6).toFixed(1)} MB). Arguments, results and texts are never shown.</p>
      ${said.verdicts.length > 0 && html`<h2>Verdicts</h2>${said.verdicts.map((each) => html`<details><summary><${Asked} of=${each} /> ${each.rule}: ${each.reason} <${Time} at=${each.at} /></summary><${Pairs} of=${{ scope: scopeText(each.scope), ...each.evidence }} rule=${each.rule} /></details>`)}`}`}<//>`;
}
