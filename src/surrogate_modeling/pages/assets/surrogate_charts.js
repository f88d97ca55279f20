"use strict";
/* Charts of controls, which are edited there, and of predicted columns. */

// Not the orange of rows outside of the training range.
const COLORS = ["--c0", "--c2", "--c6", "--c4"];
// Distance at which a point is grabbed [px].
const GRAB = matchMedia("(pointer: coarse)").matches ? 24 : 13;
// What the pointer does to a chart of controls moves no more than the cursor of the others, and the other way round.
const MOVES = type => type === "mousemove" || type === "mouseleave";

function variantColor(variant) {
  return color(COLORS[variants.indexOf(variant) % COLORS.length]);
}

function axes() {
  const common = { stroke: color("--soft"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
  return [{ ...common, size: 24, space: 64, values: (_, ticks) => ticks.map(tick => `${num(tick, 6)} s`) }, { ...common, size: 58, space: 26, values: (_, ticks) => ticks.map(tick => num(tick, 6)) }];
}

/** Times of the longest variant [s], from the first row on. */
function times() {
  return Float64Array.from({ length: Math.max(...variants.map(variant => variant.rows)) }, (_, t) => t * DATA.step);
}

/** A column as long as all times; uPlot leaves out null. */
function padded(values, length) {
  return Array.from({ length }, (_, t) => (t < values.length && !Number.isNaN(values[t]) ? values[t] : null));
}

/** Fill stretches of rows (T of 0 and 1) over the height of a chart. */
function shadeRows(plot, marks, fill) {
  const { ctx, bbox } = plot, edge = t => plot.valToPos((t - 0.5) * DATA.step, "x", true);
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.fillStyle = fill;
  for (let t = 0; t < marks.length; t++) {
    if (!marks[t]) continue;
    const from = t;
    while (t + 1 < marks.length && marks[t + 1]) t++;
    ctx.fillRect(edge(from), bbox.top, edge(t + 1) - edge(from), bbox.height);
  }
  ctx.restore();
}

const GIVEN_MARKS = new Uint8Array(FIRST_FREE).fill(1);

class Chart {
  /** @param box element that the chart fills. */
  constructor(box, height) {
    Object.assign(this, { box, height, plot: null });
    new ResizeObserver(() => this.plot?.setSize({ width: this.box.clientWidth, height: this.height })).observe(box);
  }

  /** Make the chart anew, as its series or colours are others. */
  build() {
    const zoom = this.plot && [this.plot.scales.x.min, this.plot.scales.x.max];
    this.plot?.destroy();
    const { series, bands = [], hooks = {}, drag } = this.options();
    this.plot = new uPlot({
      width: this.box.clientWidth || 300, height: this.height, legend: { show: false }, axes: axes(), bands, hooks,
      cursor: { sync: { key: "time", filters: { pub: type => drag || MOVES(type), sub: type => drag || MOVES(type) } },
        points: { size: 6 }, y: false, drag: { x: drag, y: false } },
      padding: [8, 16, 0, 0],
      scales: { x: { time: false }, y: { range: (plot, low, high) => this.range(low, high) } },
      series: [{}, ...series],
    }, this.values(), this.box);
    const last = this.plot.data[0].at(-1);
    if (zoom && typeof zoom[0] === "number" && zoom[1] <= last) this.plot.setScale("x", { min: zoom[0], max: zoom[1] });
  }

  /** Draw new values; the zoom over time stays. */
  draw() {
    if (this.plot === null) return this.build();
    const { min, max } = this.plot.scales.x, data = this.values();
    const keep = typeof min === "number" && data[0].length === this.plot.data[0].length;
    this.plot.batch(() => {
      this.plot.setData(data, false);
      this.plot.setScale("x", keep ? { min, max } : { min: 0, max: data[0].at(-1) });
    });
    this.told?.(this.plot.cursor.idx);
  }

  range(low, high) {
    if (low === null) return [0, 1];
    const margin = 0.06 * (high - low) || 0.05 * Math.abs(high) || 1;
    return [low - margin, high + margin];
  }
}

class OutcomeChart extends Chart {
  constructor(box, column) {
    super(box, 170);
    this.column = column;
    this.targets = PREDICTED.flatMap((other, j) => (other.target ? [j] : []));
  }

  options() {
    const band = shownScope !== "none", truth = this.targets.includes(this.column);
    const mine = COLORS[variants.indexOf(current)];
    return {
      drag: true,
      series: [
        ...variants.map(variant => ({ stroke: variantColor(variant), width: variant === current ? 2 : 1.2, points: { show: false } })),
        ...(truth ? [{ stroke: color("--truth"), width: 1.2, dash: [5, 3], points: { show: false } }] : []),
        ...(band ? [{ points: { show: false } }, { points: { show: false } }] : []),
      ],
      bands: band ? [{ series: [variants.length + truth + 2, variants.length + truth + 1], fill: color(mine) + "2e" }] : [],
      hooks: {
        drawAxes: [plot => {
          shadeRows(plot, GIVEN_MARKS, color("--given"));
          if (current.result?.positions) shadeRows(plot, Array.from(current.result.positions, value => value >= BEYOND), color("--outside"));
        }],
        setCursor: [plot => this.told?.(plot.cursor.idx)],
      },
    };
  }

  values() {
    const x = times(), { column } = this, { truth } = current;
    const series = variants.map(variant => padded(variant.outcome(column), x.length));
    if (this.targets.includes(column)) {
      const place = this.targets.indexOf(column), count = this.targets.length;
      series.push(padded(Float64Array.from({ length: truth === null ? 0 : truth.length / count }, (_, t) => truth[t * count + place]), x.length));
    }
    if (shownScope !== "none") series.push(...current.edges(column, shownScope).map(edge => padded(edge, x.length)));
    return [x, ...series];
  }
}

class ControlChart extends Chart {
  constructor(box, control, changed) {
    super(box, 128);
    Object.assign(this, { control, changed, grabbed: null });
  }

  options() {
    return {
      drag: false,
      series: variants.map(variant => ({ stroke: variantColor(variant), width: variant === current ? 2 : 1, points: { show: false } })),
      hooks: {
        drawAxes: [plot => this.mark(plot)],
        draw: [plot => this.drawPoints(plot)],
        ready: [plot => this.listen(plot)],
      },
    };
  }

  values() {
    const x = times();
    return [x, ...variants.map(variant => padded(variant.columns[this.control], x.length))];
  }

  /** The training range stays in sight. While something is dragged the scale stands: else the pointer would drive it. */
  range(low, high) {
    if (this.grabbed) return this.held;
    const edges = CONTROLS[this.control], from = Math.min(low ?? Infinity, edges.low), to = Math.max(high ?? -Infinity, edges.high);
    const margin = 0.08 * (to - from) || 0.05 * Math.abs(to) || 1;
    return (this.held = [from - margin, to + margin]);
  }

  mark(plot) {
    const { ctx, bbox } = plot, { low, high } = CONTROLS[this.control];
    shadeRows(plot, GIVEN_MARKS, color("--given"));
    shadeRows(plot, current.beyondRange(this.control), color("--outside"));
    ctx.save();
    ctx.strokeStyle = color("--soft");
    ctx.setLineDash([3, 4]);
    ctx.beginPath();
    for (const edge of [low, high]) {
      const y = Math.round(plot.valToPos(edge, "y", true)) + 0.5;
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
    }
    ctx.stroke();
    ctx.restore();
  }

  drawPoints(plot) {
    const signal = current.signals[this.control], { ctx } = plot;
    if (signal.kind !== "steps" && signal.kind !== "ramps") return;
    ctx.save();
    ctx.fillStyle = color("--back");
    ctx.strokeStyle = variantColor(current);
    ctx.lineWidth = 2 * devicePixelRatio;
    for (const [row, value] of signal.points) {
      ctx.beginPath();
      ctx.arc(plot.valToPos(row * DATA.step, "x", true), plot.valToPos(value, "y", true), 4.5 * devicePixelRatio, 0, 2 * Math.PI);
      ctx.fill();
      ctx.stroke();
    }
    ctx.restore();
  }

  /** Row and value under the pointer. */
  place(event) {
    const { left, top } = this.plot.over.getBoundingClientRect();
    const row = Math.round(this.plot.posToVal(event.clientX - left, "x") / DATA.step);
    return { row: Math.min(current.rows - 1, Math.max(FIRST_FREE, row)), value: this.plot.posToVal(event.clientY - top, "y") };
  }

  /** The point of steps or ramps within reach of the pointer. */
  near(event) {
    const { left, top } = this.plot.over.getBoundingClientRect();
    const distance = ([row, value]) => Math.hypot(
      this.plot.valToPos(row * DATA.step, "x") - (event.clientX - left), this.plot.valToPos(value, "y") - (event.clientY - top));
    const [best] = [...current.signals[this.control].points].sort((a, b) => distance(a) - distance(b));
    return best && distance(best) < GRAB ? best : null;
  }

  listen(plot) {
    plot.over.style.touchAction = "none";
    plot.over.addEventListener("pointerdown", event => {
      if (event.button !== 0) return;
      const signal = current.signals[this.control], { row, value } = this.place(event);
      plot.over.setPointerCapture(event.pointerId);
      if (signal.kind === "steps" || signal.kind === "ramps") {
        let point = this.near(event);
        if (point === null) signal.points.push(point = [row, value]);
        this.grabbed = { point };
      } else this.grabbed = { row, value, shift: signal.shift };
      this.move(event);
      event.preventDefault();
    });
    plot.over.addEventListener("pointermove", event => { if (this.grabbed) this.move(event); });
    for (const name of ["pointerup", "pointercancel"]) plot.over.addEventListener(name, () => {
      this.grabbed = null;
      this.draw();
    });
    plot.over.addEventListener("dblclick", event => {
      const signal = current.signals[this.control], { points } = signal, point = points.length > 1 ? this.near(event) : null;
      if (point !== null) points.splice(points.indexOf(point), 1);
      signal.shift = 0;
      this.changed(this.control);
    });
  }

  move(event) {
    const signal = current.signals[this.control], { row, value } = this.place(event), { grabbed } = this;
    if (grabbed.point) {
      [grabbed.point[0], grabbed.point[1]] = [row, value];
      signal.points.sort((a, b) => a[0] - b[0]);
    } else if (signal.kind === "curve") {
      const values = current.columns[this.control].slice(), step = Math.sign(row - grabbed.row) || 1;
      for (let t = grabbed.row; t !== row + step; t += step) {
        const share = row === grabbed.row ? 1 : (t - grabbed.row) / (row - grabbed.row);
        values[t] = grabbed.value + share * (value - grabbed.value);
      }
      signal.values = values;
      Object.assign(grabbed, { row, value });
    } else signal.shift = grabbed.shift + value - grabbed.value;
    this.changed(this.control);
  }
}
