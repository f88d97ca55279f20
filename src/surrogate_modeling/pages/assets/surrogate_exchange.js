"use strict";
/* Schedules in and out: CSV in the case format, columns pasted as text, and links. */

/** Rows of cells of a CSV text; quoted cells may hold commas, quotes and line ends. */
function csvRows(text) {
  const rows = [[]];
  let cell = "", quoted = false;
  const end = () => { rows.at(-1).push(cell); cell = ""; };
  for (let i = text.charCodeAt(0) === 0xfeff ? 1 : 0; i < text.length; i++) {
    const letter = text[i];
    if (quoted) {
      if (letter !== '"') cell += letter;
      else if (text[i + 1] === '"') { cell += '"'; i++; }
      else quoted = false;
    } else if (letter === '"' && cell === "") quoted = true;
    else if (letter === ",") end();
    else if (letter === "\n" || (letter === "\r" && text[i + 1] !== "\n")) { end(); rows.push([]); }
    else if (letter !== "\r") cell += letter;
  }
  end();
  return rows.filter(row => row.some(value => value.trim() !== ""));
}

function csvCell(text) {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The digits that restore a number as float32, or the shortest of float64 where it is none. */
function digits(value) {
  if (!Number.isFinite(value)) return "";
  if (Math.fround(value) !== value) return String(value);
  for (let count = 6; count < 9; count++)
    if (Math.fround(Number(value.toPrecision(count))) === value) return String(Number(value.toPrecision(count)));
  return String(Number(value.toPrecision(9)));
}

function numberOf(text) {
  const value = text.trim() === "" ? NaN : Number(text);
  return Number.isFinite(value) ? value : NaN;
}

/** A problem of what a user gave, to be shown. */
class Refused extends Error {}

/** Values on the grid t0, t0 + d, ...: interpolated, or the mean of the rows within half a step (settings.decimate). */
function onGrid(times, values, step) {
  const count = Math.floor((times.at(-1) - times[0]) / step + 1e-6) + 1, result = new Float64Array(count);
  for (let k = 0, left = 0, first = 0; k < count; k++) {
    const time = times[0] + k * step;
    while (left < times.length - 2 && times[left + 1] <= time) left++;
    const width = times[left + 1] - times[left], share = width > 0 ? Math.min(1, Math.max(0, (time - times[left]) / width)) : 0;
    result[k] = times.length > 1 ? values[left] + share * (values[left + 1] - values[left]) : values[0];
    if (DATA.decimation !== "mean") continue;
    let sum = 0, last = first;
    while (first < times.length && times[first] < time - (0.5 + 1e-6) * step) first++;
    for (last = first; last < times.length && times[last] < time + (0.5 - 1e-6) * step; last++) sum += values[last];
    if (last - first > 1) result[k] = sum / (last - first);
  }
  return result;
}

/** A column on the grid up to its first missing value; a mean without all of its rows would be another value. */
function knownOnGrid(times, values) {
  const hole = values.findIndex(Number.isNaN), known = hole < 0 ? values.length : hole;
  if (!known) return new Float64Array(0);
  const result = onGrid(times.slice(0, known), values.slice(0, known), DATA.step);
  if (hole < 0 || DATA.decimation !== "mean") return result;
  return result.slice(0, Math.floor((times[hole] - times[0]) / DATA.step + 0.5 + 1e-6));
}

/** Widest gap in time that is interpolated over, in steps of the file: max_gap of predict. */
const MAX_GAP = 5;

function median(values) {
  const sorted = [...values].sort((a, b) => a - b), last = sorted.length - 1;
  return (sorted[last >> 1] + sorted[(last + 1) >> 1]) / 2;
}

/** A start from a CSV text in the case format. */
function readCase(name, text) {
  const [names, units, ...rows] = csvRows(text);
  if (names === undefined || units === undefined || rows.length <= 1) throw new Refused(t("csv_short"));
  const times = rows.map(row => numberOf(row[0] ?? ""));
  times.forEach((time, k) => {
    if (Number.isNaN(time) || (k && time <= times[k - 1])) throw new Refused(t("csv_time", { line: k + 3 }));
  });
  const steps = times.slice(1).map((time, k) => time - times[k]), usual = median(steps);
  if (usual > DATA.step * 1.001) throw new Refused(t("csv_step", { step: num(usual), wanted: num(DATA.step) }));
  const wide = steps.findIndex(step => step > MAX_GAP * usual);
  if (wide >= 0) throw new Refused(t("csv_gap", { line: wide + 4, gap: num(steps[wide]), step: num(usual) }));
  const read = (column, needed) => {
    const at = names.findIndex((other, k) => k > 0 && other.trim() === column.name.trim());
    if (at < 0) {
      if (needed) throw new Refused(t("csv_missing", { name: shown(column.name) }));
      return null;
    }
    if ((units[at] ?? "").trim() !== column.unit.trim())
      throw new Refused(t("csv_unit", { name: shown(column.name), unit: shown(units[at] ?? ""), wanted: shown(column.unit) }));
    const values = rows.map(row => numberOf(row[at] ?? "")), hole = values.findIndex(Number.isNaN);
    if (hole >= 0 && CONTROLS.includes(column))
      throw new Refused(t("csv_number", { line: hole + 3, name: shown(column.name) }));
    if (!column.parameter) return knownOnGrid(times, values);
    if (values.some(value => value !== values[0])) throw new Refused(t("csv_parameter", { name: shown(column.name) }));
    // The mean of equal values may be another one by rounding.
    return onGrid(times, values, DATA.step).fill(values[0]);
  };
  const controls = CONTROLS.map(column => read(column, true)), count = controls[0].length;
  if (count <= IN_LEN) throw new Refused(t("csv_rows", { rows: count, needed: IN_LEN + 1 }));
  if (count > MAX_ROWS) throw new Refused(t("too_many_rows", { rows: count, most: MAX_ROWS }));
  const predicted = PREDICTED.map(column => read(column, DATA.given > 0));
  if (DATA.given) predicted.forEach((values, j) => {
    if (values.length >= DATA.given) return;
    const end = num(times[0] + (DATA.given - 0.5) * DATA.step), name = shown(PREDICTED[j].name);
    throw new Refused(t(DATA.decimation === "mean" ? "csv_given_mean" : "csv_given", { name, rows: DATA.given, end }));
  });
  const table = (columns, height) => Float64Array.from({ length: height * columns.length }, (_, k) =>
    columns[k % columns.length][Math.floor(k / columns.length)]);
  const targets = predicted.filter((_, j) => PREDICTED[j].target);
  const whole = targets.every(values => values !== null && values.length === count);
  return startOf({
    name, time: times[0], controls: table(controls, count), initial: table(DATA.given ? predicted : [], DATA.given),
    truth: whole ? table(targets, count) : null,
  });
}

/** A variant as CSV in the case format: controls, then the given and the predicted rows. */
function caseText(variant) {
  const columns = [...CONTROLS, ...PREDICTED], held = variant.columns.map(column => Float64Array.from(column, asHeld));
  const values = [...held, ...PREDICTED.map((_, j) => variant.outcome(j))];
  let time = "time";
  while (columns.some(column => column.name === time)) time += "_";
  const lines = [[time, ...columns.map(column => csvCell(column.name))], ["s", ...columns.map(column => csvCell(column.unit))]];
  const places = 9 + Math.max(0, Math.ceil(-Math.log10(DATA.step)));
  for (let row = 0; row < variant.rows; row++)
    lines.push([Number((variant.start.time + row * DATA.step).toFixed(Math.min(places, 20))), ...values.map(column => digits(column[row]))]);
  return lines.map(line => line.join(",")).join("\n") + "\n";
}

const OFFSETS = decoded(DATA.scaling.offset);

/** A control as the network reads it. */
function asHeld(value, _, column) {
  return OFFSETS.some(offset => offset !== 0) ? value : Math.fround(value);
}

/** Points [row, value] or values of a pasted text: lines of one number, or of a time in seconds and a number. */
function readNumbers(text) {
  const lines = text.trim().split(/\r?\n/).filter(line => line.trim() !== "");
  const rows = lines.map(line => line.trim().split(/[\s,;]+/).map(numberOf));
  rows.forEach((row, k) => {
    if (row.length !== rows[0].length || row.length > 2 || row.some(Number.isNaN)) throw new Refused(t("paste_line", { line: k + 1 }));
    if (row.length === 2 && k && row[0] <= rows[k - 1][0]) throw new Refused(t("csv_time", { line: k + 1 }));
  });
  if (!rows.length) throw new Refused(t("paste_empty"));
  return rows;
}

/** Give a control what was pasted: points of steps and ramps by their times, else a value for each row. */
function applyNumbers(variant, i, rows) {
  const signal = variant.signals[i], from = CONTROLS[i].parameter ? 0 : FIRST_FREE;
  if (rows[0].length === 2 && (signal.kind === "steps" || signal.kind === "ramps")) {
    const last = variant.rows - 1;
    signal.points = rows.map(([time, value]) => [Math.min(last, Math.max(from, Math.round(time / DATA.step))), value]);
    variant.fill(i);
  } else if (rows[0].length === 2) {
    const column = variant.columns[i].slice(), times = rows.map(row => row[0]), values = rows.map(row => row[1]);
    for (let t = from, p = 0; t < variant.rows; t++) {
      const time = t * DATA.step;
      while (p + 1 < times.length && times[p + 1] <= time) p++;
      const next = Math.min(p + 1, times.length - 1), width = times[next] - times[p];
      const share = width > 0 && time > times[p] ? (time - times[p]) / width : 0;
      column[t] = values[p] + share * (values[next] - values[p]);
    }
    variant.setColumn(i, column);
  } else {
    const own = rows.map(row => row[0]), column = variant.columns[i].slice();
    const skip = own.length >= variant.rows ? from : 0;
    for (let t = from; t < variant.rows; t++) column[t] = own[Math.min(own.length - 1, t - from + skip)];
    variant.setColumn(i, column);
  }
}

/** Points of steps and ramps, or the values of all rows, as the text that readNumbers takes. */
function numbersText(variant, i) {
  const { kind, points } = variant.signals[i];
  if (kind === "steps" || kind === "ramps") return points.map(([row, value]) => `${digits(row * DATA.step)} ${digits(value)}`).join("\n");
  return [...variant.columns[i]].map(digits).join("\n");
}

/** Numbers as text for a link; float32 where nothing is lost that the network sees. */
function packedText(values) {
  const held = OFFSETS.some(offset => offset !== 0) ? Float64Array.from(values) : Float32Array.from(values);
  return (held instanceof Float64Array ? "d" : "f") + btoa(Array.from(new Uint8Array(held.buffer), byte => String.fromCharCode(byte)).join(""));
}

async function piped(bytes, stream) {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
}

/** All variants as the fragment of an address. */
async function linkText(variants) {
  const state = {
    surrogate: DATA.fingerprint,
    variants: variants.map(({ start, rows, signals }) => ({
      rows,
      start: STARTS.indexOf(start) < DATA.cases.length ? STARTS.indexOf(start)
        : { name: start.name, time: start.time, controls: packedText(start.controls), initial: packedText(start.initial), truth: null },
      signals: signals.map(({ kind, points, shift, values }) => [kind, kind === "case" ? shift : kind === "curve" ? packedText(values) : points]),
    })),
  };
  const bytes = await piped(new TextEncoder().encode(JSON.stringify(state)), new CompressionStream("deflate"));
  return btoa(Array.from(bytes, byte => String.fromCharCode(byte)).join("")).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The state that a fragment holds. */
async function stateOf(fragment) {
  const bytes = bytesOf(fragment.replaceAll("-", "+").replaceAll("_", "/"));
  return JSON.parse(new TextDecoder().decode(await piped(bytes, new DecompressionStream("deflate"))));
}

function require(condition) { if (!condition) throw new Refused(t("link_broken")); }

/** A signal of a link, which anybody may have written. */
function signalOf([kind, what]) {
  require(KINDS.includes(kind));
  if (kind === "case") require(Number.isFinite(what));
  else if (kind !== "curve") require(what.length > 0 && what.every(([row, value]) => Number.isInteger(row) && row >= 0 && Number.isFinite(value)));
  const values = kind === "curve" ? decoded(what) : null;
  require(values === null || (values.length > 0 && values.every(Number.isFinite)));
  return new Signal(kind, values === null && kind !== "case" ? what : [], kind === "case" ? what : 0, values);
}

function variantOf({ rows, start, signals }) {
  require(Number.isInteger(rows) && rows > IN_LEN && rows <= MAX_ROWS && signals.length === CONTROLS.length);
  let first = STARTS[start];
  if (typeof start === "object") {
    first = startOf({ ...start, name: String(start.name), time: Number(start.time) || 0, truth: null });
    const { controls, initial } = first;
    require(controls.length >= CONTROLS.length && controls.length % CONTROLS.length === 0 && controls.every(Number.isFinite));
    require(initial.length === DATA.given * PREDICTED.length && initial.every(Number.isFinite));
    STARTS.push(first);
  }
  require(first !== undefined);
  const variant = new Variant(first, rows);
  variant.signals = signals.map(signalOf);
  variant.fill();
  return variant;
}

/** Variants of a fragment. */
async function variantsOf(fragment) {
  try {
    const state = await stateOf(fragment);
    if (state.surrogate !== DATA.fingerprint) throw new Refused(t("link_other"));
    require(state.variants.length > 0);
    return state.variants.slice(0, MAX_VARIANTS).map(variantOf);
  } catch (error) {
    throw error instanceof Refused ? error : new Refused(t("link_broken"));
  }
}
