"use strict";
/* Charts on uPlot: curves with bands and marked stretches, linked zoom, points; drawn when they come into view. */

/** Charts that share their time axis: zooming one zooms all. */
class ZoomGroup {
  constructor(key) { this.key = key; this.charts = new Set(); this.range = null; this.moving = false; this.listeners = []; }
  clear() { this.charts.clear(); }
  moved(chart, min, max) {
    if (this.moving) return;
    this.range = [min, max];
    this.apply(chart);
  }
  apply(source) {
    this.moving = true;
    for (const other of this.charts) if (other !== source) other.setScale("x", { min: this.range[0], max: this.range[1] });
    this.moving = false;
    for (const listener of this.listeners) listener(this.range);
  }
  set(min, max) { this.range = [min, max]; this.apply(null); }
}

const liveCharts = new Set();
onTheme(() => { for (const chart of liveCharts) chart.redraw(false); });
const resizing = new ResizeObserver(entries => {
  for (const { target, contentRect } of entries) {
    const chart = target.chart;
    if (chart && contentRect.width > 40 && Math.abs(chart.width - contentRect.width) > 1) {
      chart.setSize({ width: Math.floor(contentRect.width), height: chart.height });
    }
  }
});

const pending = new Map();
const viewing = new IntersectionObserver(entries => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting || !pending.has(target)) continue;
    const draw = pending.get(target);
    pending.delete(target);
    viewing.unobserve(target);
    draw();
  }
}, { rootMargin: "400px" });

/** Call back once an element comes near the view; at once where it is to be printed. */
function whenSeen(element, draw) { pending.set(element, draw); viewing.observe(element); }
window.addEventListener("beforeprint", () => {
  for (const [element, draw] of [...pending]) { pending.delete(element); draw(); }
});

const gaps = values => Array.from(values, value => Number.isFinite(value) ? value : null);

function axis(label, extra = {}) {
  const line = () => color("--line");
  return {
    stroke: () => color("--soft"), grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 },
    font: "11px system-ui, sans-serif", labelFont: "11px system-ui, sans-serif", label: label || undefined,
    labelSize: label ? 18 : 0, values: (u, ticks) => ticks.map(value => value === null ? "" : num(value, 6)), ...extra,
  };
}

const WHOLE_STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 100000];

function widest(u, values) {
  const longest = Math.max(0, ...(values || []).map(text => String(text).length));
  return 18 + 6.6 * longest;
}

/**
 * A chart of curves over x.
 * options: x, series [{label, values, color, width, dash, dots, fill}], bands [{upper, lower, color}] (indices of series),
 * marks [{from, to, color}], group (ZoomGroup), height, xLabel, yLabel, log, zero, live (element for values at the
 * cursor), digits, time ranges of x as {min, max}.
 */
function chart(parent, options) {
  const series = options.series.map(entry => ({
    label: entry.label || "", stroke: () => color(entry.color || "--c0"), width: entry.width ?? 1.4, dash: entry.dash,
    points: entry.dots ? { show: true, size: entry.dots, stroke: () => color(entry.color), fill: () => color(entry.color) } : { show: false },
    paths: entry.dots && !entry.line ? () => null : undefined, spanGaps: Boolean(entry.spanGaps), show: entry.show ?? true,
  }));
  const range = options.range || [options.x[0], options.x[options.x.length - 1]];
  const [first, last] = range[1] > range[0] ? range : [range[0] - 0.5, range[0] + 0.5];
  const start = options.group?.range || [first, last];
  const plot = new uPlot({
    width: Math.max(120, Math.floor(parent.clientWidth)), height: options.height || 210, legend: { show: false }, pxAlign: 1,
    cursor: {
      points: { show: false }, y: false, drag: { x: true, y: false, setScale: true, dist: 5 },
      sync: options.group ? { key: options.group.key } : undefined,
    },
    scales: {
      x: { time: false, min: start[0], max: start[1] },
      y: {
        distr: options.log ? 3 : 1,
        range: options.log ? undefined : (u, low, high) => {
          if (low === null || high === null) return [0, 1];
          const span = high - low || Math.abs(high) * 0.01 || 1;
          return [options.zero && low >= 0 ? 0 : low - 0.06 * span, high + 0.06 * span];
        },
      },
    },
    axes: [
      axis(options.xLabel, { size: options.xLabel ? 34 : 24, space: 60, ...(options.whole ? { incrs: WHOLE_STEPS } : {}) }),
      axis(options.yLabel, { size: widest, space: 34 }),
    ],
    series: [{}, ...series],
    bands: (options.bands || []).map(band => ({
      series: [band.upper + 1, band.lower + 1], fill: () => color(band.color),
    })),
    hooks: {
      drawClear: [u => drawMarks(u, options.marks || [])],
      setScale: [(u, key) => { if (key === "x" && options.group) options.group.moved(u, u.scales.x.min, u.scales.x.max); }],
      setCursor: [u => { if (options.live) options.live(u.cursor.idx, u); }],
      ready: [u => u.over.addEventListener("dblclick", event => {
        event.stopImmediatePropagation();
        u.setScale("x", { min: first, max: last });
      }, true)],
    },
  }, [Array.from(options.x), ...options.series.map(entry => gaps(entry.values))], parent);
  parent.chart = plot;
  liveCharts.add(plot);
  options.group?.charts.add(plot);
  resizing.observe(parent);
  return plot;
}

/** Forget the charts below an element, which is emptied. */
function dropCharts(parent) {
  for (const holder of parent.querySelectorAll(".chart")) {
    viewing.unobserve(holder);
    pending.delete(holder);
    if (!holder.chart) continue;
    resizing.unobserve(holder);
    liveCharts.delete(holder.chart);
    holder.chart.destroy();
  }
  parent.replaceChildren();
}

function drawMarks(u, marks) {
  const { ctx, bbox } = u;
  for (const mark of marks) {
    const from = Math.max(bbox.left, u.valToPos(mark.from, "x", true));
    const to = Math.min(bbox.left + bbox.width, Math.max(u.valToPos(mark.to, "x", true), u.valToPos(mark.from, "x", true) + 1));
    if (to <= from) continue;
    ctx.save();
    ctx.fillStyle = color(mark.color);
    ctx.fillRect(from, bbox.top, to - from, bbox.height);
    if (mark.edge) {
      ctx.fillStyle = color(mark.edge);
      ctx.fillRect(from, bbox.top, to - from, 4 * devicePixelRatio);
    }
    ctx.restore();
  }
}

/** A chart of points (and lines) with x of their own: tables [{x, y, ...series}]. */
function joined(parent, tables, options) {
  const sorted = tables.map(table => {
    const order = Array.from(table.x.keys()).sort((a, b) => table.x[a] - table.x[b]);
    return { ...table, x: order.map(i => table.x[i]), columns: table.columns.map(column => order.map(i => column.values[i])) };
  });
  // Points of one place must not fall together when tables are joined.
  const data = uPlot.join(sorted.map(table => [apart(table.x), ...table.columns]));
  const series = tables.flatMap(table => table.columns).map((column, i) => ({ ...column, values: data[i + 1], spanGaps: true }));
  return chart(parent, { ...options, x: data[0], series });
}

function apart(values) {
  const result = [];
  for (const value of values) {
    const before = result[result.length - 1];
    result.push(before !== undefined && value <= before ? before + Math.max(Math.abs(before), 1e-9) * 1e-9 : value);
  }
  return result;
}

/** A key to colours: [[label, colour, kind]], kind line, dash, dot or area. */
function colorKey(entries) {
  const list = make("div", { className: "key" });
  for (const [label, name, kind] of entries) {
    const sample = make("span", { className: `sample ${kind}` });
    sample.style.setProperty("--sample", `var(${name})`);
    list.append(make("span", { className: "entry" }, sample, shown(label)));
  }
  return list;
}

const HEAT = [[255, 250, 205], [254, 217, 118], [253, 141, 60], [227, 26, 28], [128, 0, 38]];
/** Colour of a share from 0 to 1. */
function heat(share) {
  const place = Math.min(0.9999, Math.max(0, share)) * (HEAT.length - 1), low = Math.floor(place), part = place - low;
  return `rgb(${HEAT[low].map((value, i) => Math.round(value + part * (HEAT[low + 1][i] - value))).join(",")})`;
}

/**
 * A map of numbers: rows by columns, logarithmic colours; null is black.
 * options: rows (names), columns (names), value(i, j), unit, onClick(i, j), split (columns left of a line).
 */
function heatMap(parent, options) {
  const { rows, columns } = options, ratio = 50;
  let largest = 0;
  for (let i = 0; i < rows.length; i++) for (let j = 0; j < columns.length; j++) {
    const value = options.value(i, j);
    if (value !== null && value <= 10) largest = Math.max(largest, value);
  }
  largest = largest || 10;
  const share = value => Math.log(Math.max(value, largest / ratio) / (largest / ratio)) / Math.log(ratio);
  const cell = { w: Math.max(13, Math.min(34, (parent.clientWidth - 170) / columns.length)), h: rows.length > 60 ? 12 : 18 };
  const left = 150, top = 110, scale = devicePixelRatio || 1;
  const canvas = make("canvas", { className: "map" }), context = canvas.getContext("2d");
  const width = left + cell.w * columns.length + 60, height = top + cell.h * rows.length + 6;
  canvas.width = width * scale; canvas.height = height * scale;
  canvas.style.width = `${width}px`; canvas.style.height = `${height}px`;
  const cut = (text, most) => text.length > most ? `${text.slice(0, most - 1)}…` : text;
  const draw = () => {
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = color("--text");
    context.textAlign = "right"; context.textBaseline = "middle";
    rows.forEach((name, i) => context.fillText(cut(shown(name), 22), left - 6, top + (i + 0.5) * cell.h));
    context.textAlign = "left";
    columns.forEach((name, j) => {
      context.save();
      context.translate(left + (j + 0.5) * cell.w, top - 5);
      context.rotate(-Math.PI / 3);
      context.fillText(cut(shown(name), 18), 0, 0);
      context.restore();
    });
    for (let i = 0; i < rows.length; i++) for (let j = 0; j < columns.length; j++) {
      const value = options.value(i, j);
      context.fillStyle = value === null ? "#000" : heat(share(value));
      context.fillRect(left + j * cell.w, top + i * cell.h, cell.w - 1, cell.h - 1);
    }
    if (options.split < columns.length) {
      context.fillStyle = color("--text");
      context.fillRect(left + options.split * cell.w - 1.5, top - 4, 2, cell.h * rows.length + 4);
    }
  };
  draw();
  onTheme(draw);
  const tip = make("div", { className: "tip", role: "status" });
  const place = event => {
    const box = canvas.getBoundingClientRect();
    const j = Math.floor((event.clientX - box.left - left) / cell.w), i = Math.floor((event.clientY - box.top - top) / cell.h);
    return i >= 0 && j >= 0 && i < rows.length && j < columns.length ? [i, j] : null;
  };
  canvas.addEventListener("mousemove", event => {
    const at = place(event);
    canvas.style.cursor = at ? "pointer" : "default";
    const value = at && options.value(...at);
    tip.textContent = at ? `${shown(rows[at[0]])} · ${shown(columns[at[1]])}: ${value === null ? t("diverged") : num(value, 3)}` : " ";
  });
  canvas.addEventListener("click", event => { const at = place(event); if (at) options.onClick(...at); });
  const scale_ = make("div", { className: "heat-key small soft" }, num(largest / ratio, 2));
  for (let k = 0; k < 24; k++) {
    const step = make("i");
    step.style.background = heat(k / 23);
    scale_.append(step);
  }
  scale_.append(`${num(largest, 2)} ${options.unit}`);
  parent.append(scale_, tip, make("div", { className: "scroll map-holder" }, canvas));
}
