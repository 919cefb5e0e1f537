// What all views are made of: markup, words for numbers and times, and small parts.
import { Component, h, render, Fragment } from "./vendor/preact.js";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/hooks.js";
import htm from "./vendor/htm.js";

export const html = htm.bind(h);
export { render, Fragment, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState };

const SHAPES = { bad: "▲", warn: "◆", good: "●", off: "○", info: "■" };

// A state as shape, colour and word: never colour alone.
export function Mark({ tone, children }) {
  return html`<span class=${"mark " + tone}><span aria-hidden="true">${SHAPES[tone]}</span> ${children}</span>`;
}

// What a verdict asks; of a rule in shadow, what it would ask: nobody obeys that.
export function Asked({ of, said = "" }) {
  const shadow = of.mode === "shadow";
  return html`<${Mark} tone=${shadow ? "info" : of.action === "kill" ? "bad" : "warn"}>${said}${shadow ? "would " + of.action + " (shadow)" : of.action}<//>`;
}

// What is not quite all is never 100 %, what is not quite nothing never 0 %: more digits are shown then.
export function percent(ratio, digits = 1) {
  if (ratio == null) return "–";
  for (const whole of [0, 100]) {
    if (Math.abs(ratio * 100 - whole) < 1e-7) return whole.toFixed(digits) + " %";
    while (digits < 9 && Number((ratio * 100).toFixed(digits)) === whole) digits += 1;
  }
  return (ratio * 100).toFixed(digits) + " %";
}

export function count(n) {
  return n == null ? "–" : Number(n).toLocaleString("en-GB").replaceAll(",", " ");
}

export function usd(n) {
  if (n == null) return "–";
  if (n === 0 || Math.abs(n) >= 1) return "$" + n.toFixed(2);
  return "$" + n.toFixed(Math.min(12, Math.max(4, 1 - Math.floor(Math.log10(Math.abs(n))))));  // two digits that count
}

export function seconds(s) {
  if (s == null) return "–";
  if (s < 1) return Math.round(s * 1000) + " ms";
  if (s < 100) return s.toFixed(1) + " s";
  return s < 7200 ? Math.round(s / 60) + " min" : (s / 3600).toFixed(1) + " h";
}

// Times are shown in UTC, as logs and pages write them.
export function time(text) {
  return text ? text.slice(0, 19).replace("T", " ") : "–";
}

export function Time({ at }) {
  return html`<time datetime=${at} title=${at + " UTC"}>${at ? time(at).slice(5) : "–"}</time>`;
}

export function ago(at, now = Date.now()) {
  const s = Math.max(0, (now - Date.parse(at)) / 1000);
  return s < 60 ? Math.round(s) + " s" : s < 7200 ? Math.round(s / 60) + " min" : Math.round(s / 3600) + " h";
}

// Agents choose names, and titles have them: what would not be seen in one, or would turn the text around it, is seen.
export const visible = (text) => String(text).replace(/(?![\u200c\u200d])[\p{Cc}\p{Cf}]/gu, "\ufffd");  // joiners spell words

// The name of somebody or something in a cell of its own; there may be none. Copied, it is what a search takes.
export const called = (name) => name == null ? "–" : visible(name);

// A name within words: what is written from right to left turns nothing around it.
export const named = (text) => /[^ -~]/.test(text) ? "\u2068" + visible(text) + "\u2069" : text;

export function scopeText(scope, tenant) {
  const name = scope.level === "product" ? "whole product" : scope.level + ":" + named(scope.id);
  return tenant ? name + " of tenant " + named(tenant) : name;
}

export function RunLink({ id }) {
  return html`<a class="id" href=${"#/runs/" + id} title=${id}>${id.slice(0, 12)}</a>`;
}

// The states of a view that asks the server: it fails in words that say what to do, above what was known before.
export function Loaded({ of, children }) {
  const problem = of.error ? html`<${Problem} error=${of.error} again=${of.reload} />` : null;
  if (of.data) return html`${problem}${children(of.data)}`;
  return problem || html`<p class="quiet" role="status">Loading…</p>`;
}

export function Problem({ error, again }) {
  return html`<div class="problem" role="alert">
    <p><${Mark} tone="bad">${error.message}<//></p>
    <p>${error.advice || "Is the control plane still running? `flyball status` asks it on the command line."}</p>
    ${again && html`<button onClick=${again}>Try again</button>`}
  </div>`;
}

// What goes wrong while a view is drawn is said in its place: the rest of the page goes on.
export class Guarded extends Component {
  static getDerivedStateFromError(error) { return { error }; }
  render({ children }, { error }) {
    if (!error) return children;
    return html`<div class="problem" role="alert"><p><${Mark} tone="bad">This view could not be drawn: ${String(error.message || error)}<//></p>
      <p>The other views, and <code>flyball status</code>, <code>kill</code> and <code>resume</code> on the command line, are not touched by it.</p>
      <button onClick=${() => this.setState({ error: null })}>Try again</button></div>`;
  }
}

export function Empty({ children }) {
  return html`<p class="empty">${children}</p>`;
}

// A table that scrolls by itself where it is too wide, reachable by keyboard.
// On a narrow screen each row is a card, and each cell says what it is.
export function Table({ label, heads, children }) {
  const at = useRef(null);
  useEffect(() => at.current?.querySelectorAll("tbody > tr").forEach((row) => [...row.children].forEach((cell, place) => {
    if (cell.colSpan === 1) cell.dataset.label = [heads[place]].flat()[0];
  })));
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${label} ref=${at}>
    <table><thead><tr>${heads.map((each) => {
      const [name, kind] = Array.isArray(each) ? each : [each, ""];
      return html`<th scope="col" class=${kind}>${name}</th>`;
    })}</tr></thead><tbody>${children}</tbody></table>
  </div>`;
}

export function Bar({ ratio, tone, label }) {
  const width = Math.max(0, Math.min(1, ratio ?? 0)) * 100;
  return html`<svg class=${"bar " + tone} viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label=${label}>
    <rect class="track" width="100" height="6" /><rect class="fill" width=${width} height="6" /></svg>`;
}

const MOMENT = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;

// A value with the unit that its name says, as pages write it; null: the name says none.
function valued(name, value) {
  if (typeof value === "string") return MOMENT.test(value) ? time(value) + " UTC" : null;
  if (typeof value !== "number") return null;
  if (/(^|_)usd(_|$)/.test(name)) return usd(value);
  if (/_s$/.test(name)) return seconds(value);
  if (/^(budget_used|budget_remaining|used_ratio)$/.test(name)) return percent(value);
  return /(^|_)tokens(_|$)/.test(name) ? count(value) : null;
}

// What count and limit are of depends on the rule: most rules count things, these count money or time.
function amounts(rule, evidence) {
  const of = rule === "cap.cost" || (evidence?.budget != null && evidence.period != null) ? usd : rule === "cap.wall" || evidence?.unit === "s" ? seconds : null;
  const shares = typeof evidence?.rate === "number" ? { rate: percent, before: percent } : {};
  return of ? { count: of, limit: of, ...shares } : shares;
}

// What a record says, in words: four digits of a number, members beside each other, what is within them in brackets.
function said(value, within = false, name = "") {
  const known = valued(name, value);
  if (known !== null) return known;
  if (typeof value === "number") return String(Number.isInteger(value) ? value : Number(value.toPrecision(4)));
  if (value == null || typeof value !== "object") return String(value ?? "–");
  if (Array.isArray(value)) return value.map((each) => said(each, true, name)).join(", ");
  const members = Object.entries(value).filter(([, each]) => each != null).map(([member, each]) => member + " " + said(each, true, member));
  return within ? "(" + members.join(", ") + ")" : members.join(" · ");
}

const title = (name) => name.replace(/_(usd|s)(?=_|$)/, "").replaceAll("_", " ");

// Evidence as pairs; of a list of objects each has a line. The rule that told it says what is counted.
export function Pairs({ of, rule }) {
  const rows = Object.entries(of || {}).filter(([, value]) => value != null);
  const units = amounts(rule, of);
  const worded = (name, value) => typeof value === "number" && units[name] ? units[name](value) : said(value, false, name);
  return html`<dl class="pairs">${rows.map(([name, value]) => html`<div key=${name}>
    <dt>${title(name)}</dt><dd>${Array.isArray(value) && typeof value[0] === "object" ? value.map((each) => html`<div>${said(each)}</div>`) : worded(name, value)}</dd></div>`)}</dl>`;
}

export function Field({ label, children }) {
  return html`<label class="field"><span>${label}</span>${children}</label>`;
}
