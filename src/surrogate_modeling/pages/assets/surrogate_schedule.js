"use strict";
/* Schedules: what each control does, row by row, and how a user says it.
   Shape letters: T rows of a schedule, C controls, P predicted columns, G given rows. */

const DATA = JSON.parse(document.getElementById("data").textContent);
const KINDS = ["case", "steps", "ramps", "curve"];
const IN_LEN = DATA.inLen, CONTROLS = DATA.controls, PREDICTED = DATA.predicted;
// Rows before are given with their outcome; where this follows from the controls, all rows are free.
const FIRST_FREE = DATA.given ? IN_LEN : 0;
const MAX_ROWS = 100000, MAX_POINTS = 40;
// Of what a drawn curve may lose when it becomes ramps, as a share of its span.
const RAMP_LOSS = 0.01;

/** A case that a schedule begins as. */
function startOf({ name, time, controls, initial, truth }) {
  const read = text => (text === null ? null : typeof text === "string" ? decoded(text) : text);
  return { name, time, controls: read(controls), initial: read(initial), truth: read(truth) };
}

const STARTS = DATA.cases.map(startOf);

/** What one control does. */
class Signal {
  /** @param kind "case" (as in the start, moved by a number), "steps", "ramps" or "curve" (a value for each row). */
  constructor(kind = "case", points = [], shift = 0, values = null) {
    Object.assign(this, { kind, points, shift, values });
  }

  copy() {
    return new Signal(this.kind, this.points.map(point => [...point]), this.shift, this.values && this.values.slice());
  }

  /** Write the rows from the first free one on; those before, and all that is not said, are as in the start. */
  fill(column, start, from) {
    const rows = column.length, held = row => start[Math.min(row, start.length - 1)];
    for (let t = 0; t < rows; t++) column[t] = held(t) + (this.kind === "case" && t >= from ? this.shift : 0);
    if (this.kind === "curve")
      for (let t = from; t < rows; t++) column[t] = this.values[Math.min(t, this.values.length - 1)];
    const points = [...this.points].sort((a, b) => a[0] - b[0]);
    if (this.kind !== "steps" && this.kind !== "ramps") return;
    for (let t = from, p = 0; t < rows && points.length; t++) {
      while (p + 1 < points.length && points[p + 1][0] <= t) p++;
      const [row, value] = points[p], next = points[p + 1];
      const share = this.kind === "ramps" && next && t > row ? (t - row) / (next[0] - row) : 0;
      column[t] = value + (share > 0 ? share * (next[1] - value) : 0);
    }
  }
}

/** Steps near a curve: its own where they are few, else means of some parts. */
function stepsNear(values, from) {
  const changes = [from];
  for (let t = from + 1; t < values.length; t++) if (values[t] !== values[t - 1]) changes.push(t);
  if (changes.length <= MAX_POINTS) return changes.map(t => [t, values[t]]);
  const parts = 8, length = (values.length - from) / parts;
  return Array.from({ length: parts }, (_, part) => {
    const first = from + Math.round(part * length), last = from + Math.round((part + 1) * length);
    return [first, values.slice(first, last).reduce((sum, value) => sum + value, 0) / (last - first)];
  });
}

/** Ramps near a curve: its ends, and again and again the row that is farthest off. */
function rampsNear(values, from) {
  const rows = [from, values.length - 1];
  const span = values.reduce((high, v) => Math.max(high, v), -Infinity) - values.reduce((low, v) => Math.min(low, v), Infinity);
  while (rows.length < 16) {
    let worst = RAMP_LOSS * span, at = -1;
    for (let p = 0; p + 1 < rows.length; p++) {
      for (let t = rows[p] + 1; t < rows[p + 1]; t++) {
        const share = (t - rows[p]) / (rows[p + 1] - rows[p]);
        const loss = Math.abs(values[t] - values[rows[p]] - share * (values[rows[p + 1]] - values[rows[p]]));
        if (loss > worst) [worst, at] = [loss, t];
      }
    }
    if (at < 0) break;
    rows.push(at);
    rows.sort((a, b) => a - b);
  }
  return [...new Set(rows)].map(t => [t, values[t]]);
}

let variantsMade = 0;

/** One schedule and its outcome. */
class Variant {
  constructor(start, rows = start.controls.length / CONTROLS.length) {
    Object.assign(this, { start, rows, key: variantsMade++, request: 0, result: null });
    this.signals = CONTROLS.map(() => new Signal());
    this.columns = [];
    this.fill();
  }

  copy() {
    const copy = new Variant(this.start, this.rows);
    copy.signals = this.signals.map(signal => signal.copy());
    copy.fill();
    return copy;
  }

  /** A column of the start. */
  startColumn(i) {
    return Float64Array.from({ length: this.start.controls.length / CONTROLS.length }, (_, t) =>
      this.start.controls[t * CONTROLS.length + i]);
  }

  fill(only = null) {
    this.signals.forEach((signal, i) => {
      if (only !== null && only !== i) return;
      const column = new Float64Array(this.rows);
      signal.fill(column, this.startColumn(i), CONTROLS[i].parameter ? 0 : FIRST_FREE);
      this.columns[i] = column;
    });
  }

  /** Say the same by another kind of signal. */
  turnInto(kind, i) {
    const values = this.columns[i], from = CONTROLS[i].parameter ? 0 : FIRST_FREE;
    if (kind === "case") this.signals[i] = new Signal();
    else if (kind === "curve") this.signals[i] = new Signal("curve", [], 0, values.slice());
    else this.signals[i] = new Signal(kind, kind === "steps" ? stepsNear(values, from) : rampsNear(values, from));
    this.fill(i);
  }

  /** Give every row a value; fewer values hold the last. */
  setColumn(i, values) {
    this.signals[i] = new Signal("curve", [], 0, Float64Array.from(values));
    this.fill(i);
  }

  /** What really followed in the case, where its schedule is still the one here. */
  get truth() {
    const same = this.signals.every(({ kind, shift }) => kind === "case" && shift === 0);
    return same ? this.start.truth : null;
  }

  setRows(rows) {
    this.rows = rows;
    this.fill();
  }

  /** (T, C) of all rows. */
  controls() {
    const all = new Float64Array(this.rows * CONTROLS.length);
    this.columns.forEach((column, i) => column.forEach((value, t) => { all[t * CONTROLS.length + i] = value; }));
    return all;
  }

  /** A predicted column of all rows: those that are given, then those that are predicted; NaN where none is yet. */
  outcome(j) {
    const values = new Float64Array(this.rows).fill(NaN), { result } = this;
    if (result === null) return values;
    for (let t = 0; t < IN_LEN; t++) values[t] = result.given[t * PREDICTED.length + j];
    const known = Math.min(result.done, this.rows - IN_LEN);
    for (let t = 0; t < known; t++) values[IN_LEN + t] = result.predicted[t * PREDICTED.length + j];
    return values;
  }

  /** Lower and upper edge of the band around a predicted column. */
  edges(j, scope) {
    const lower = this.outcome(j), upper = lower.slice(), { result } = this;
    if (result === null) return [lower, upper];
    if (result.halves?.scope !== scope)
      result.halves = { scope, values: halfWidths(DATA.band, scope, result.spread, PREDICTED.length) };
    for (let t = IN_LEN; t < this.rows; t++) {
      const half = result.halves.values[(t - IN_LEN) * PREDICTED.length + j];
      lower[t] -= half;
      upper[t] += half;
    }
    return [lower, upper];
  }

  /** Rows (T) of one control beyond its training range, or farther from the training cases than these are apart. */
  beyondRange(i) {
    const { low, high } = CONTROLS[i], slack = 1e-6 * Math.max(high - low, Math.abs(high) * 1e-3);
    return this.columns[i].map(value => (value < low - slack || value > high + slack ? 1 : 0));
  }
}
