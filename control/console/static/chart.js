// Charts by uPlot; it draws on canvas, so the colours are read from the page's own tokens.
import { html, useEffect, useRef, useState } from "./ui.js";

const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function options(uPlot, width, height, title, format) {
  const line = { stroke: token("--quiet"), grid: { stroke: token("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
  return {
    width, height, cursor: { drag: { x: false, y: false } }, legend: { show: false }, tzDate: (s) => uPlot.tzDate(new Date(s * 1e3), "UTC"),
    axes: [{ ...line, size: 24, values: (_, ticks) => ticks.map((s) => new Date(s * 1e3).toISOString().slice(11, 16)) }, { ...line, size: 56, values: (_, ticks) => ticks.map(format) }],
    series: [{}, { label: title, stroke: token("--accent"), width: 2, fill: token("--accent-soft"), points: { show: false } }],
  };
}

// `points`: [[seconds, value], ...]. The numbers are in the table beside it, so the picture is for the eye alone.
export function Chart({ points, title, format, height = 120 }) {
  const place = useRef(null);
  const [uPlot, setLibrary] = useState(null);
  useEffect(() => { import("./vendor/uplot.js").then((module) => setLibrary(() => module.default)); }, []);  // the first page does without
  useEffect(() => {
    if (!uPlot) return undefined;
    const data = [points.map(([at]) => at), points.map(([, value]) => value)];
    const make = () => new uPlot(options(uPlot, place.current.clientWidth, height, title, format), data, place.current);
    let plot = make();
    const sized = new ResizeObserver(() => place.current && plot.setSize({ width: place.current.clientWidth, height }));
    sized.observe(place.current);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const recolour = () => { plot.destroy(); plot = make(); };
    scheme.addEventListener("change", recolour);
    return () => { scheme.removeEventListener("change", recolour); sized.disconnect(); plot.destroy(); };
  }, [uPlot, JSON.stringify(points), title]);
  return html`<figure class="chart"><figcaption>${title}</figcaption><div ref=${place} role="img" aria-label=${title}></div></figure>`;
}

// A line of one word's height.
export function Spark({ values, label }) {
  const known = values.filter((each) => each != null);
  if (known.length < 2) return html`<span class="quiet">–</span>`;
  const top = Math.max(...known, 0.0001), low = Math.min(...known, 0), span = top - low || 1;
  const points = values.map((each, at) => each == null ? "" : `${(at / (values.length - 1)) * 100},${18 - ((each - low) / span) * 16}`);
  return html`<svg class="spark" viewBox="0 0 100 20" preserveAspectRatio="none" role="img" aria-label=${label}>
    <polyline points=${points.filter(Boolean).join(" ")} /></svg>`;
}
