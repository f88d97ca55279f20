"use strict";
/* The surrogate in free run, as Surrogate.free_run: physical units in and out; runs in a worker or in the page.
   Shape letters: T rows of a schedule, C controls, P predicted columns, G given rows, H = T - inLen predicted rows. */

/** Numbers that content.py packed, as Float64Array, or as they are stored. */
function decoded(text, asStored = false) {
  const letters = atob(text.slice(1)), bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  const values = text[0] === "d" ? new Float64Array(bytes.buffer) : new Float32Array(bytes.buffer);
  return asStored ? values : Float64Array.from(values);
}

function decodedAll(texts) {
  return texts && Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, decoded(text)]));
}

/** The product of rows and weights in WebAssembly, and its memory of so many bytes; null where a browser has none. */
function openKernel(text, bytes) {
  try {
    const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / 65536) });
    const module = new WebAssembly.Module(Uint8Array.from(atob(text), letter => letter.charCodeAt(0)));
    return { dense: new WebAssembly.Instance(module, { page: { memory } }).exports.dense, memory };
  } catch {
    return null;
  }
}

/** Network, arrays it works in (for one free run at a time), scaling and training range of the data of a page. */
function openSurrogate(data, plain = false) {
  const weights = decoded(data.weights, true), columns = [...data.controls, ...data.predicted], sizes = NETWORK_SIZES;
  const lengths = {
    past: sizes.inLen * columns.length, first: sizes.controls, state: sizes.state, next: sizes.state, work: sizes.workspace,
    control: sizes.rowsPerStep * sizes.controls, row: sizes.rowsPerStep * sizes.predicted, deviation: sizes.rowsPerStep * sizes.predicted,
  };
  // Position 0 stands for no array.
  let end = 16;
  const kernel = plain ? null : openKernel(data.kernel, end + 4 * Object.values(lengths).reduce((sum, n) => sum + n, weights.length));
  const take = length => {
    const array = kernel === null ? new Float32Array(length) : new Float32Array(kernel.memory.buffer, end, length);
    end += 4 * length;
    return array;
  };
  const k = take(weights.length);
  k.set(weights);
  return {
    network: makeNetwork(k, kernel && kernel.dense), sizes, scaling: decodedAll(data.scaling), range: decodedAll(data.range),
    arrays: Object.fromEntries(Object.entries(lengths).map(([name, length]) => [name, take(length)])),
    low: columns.map(column => column.low), high: columns.map(column => column.high),
  };
}

class FreeRun {
  /**
   * @param surrogate of openSurrogate.
   * @param initial (G, P) predicted columns of the given rows; none where they follow from the controls.
   * @param controls (T, C) of all rows.
   */
  constructor(surrogate, initial, controls) {
    const { sizes } = surrogate;
    Object.assign(this, { network: surrogate.network, scaling: surrogate.scaling, sizes, controls, done: 0, ...surrogate.arrays });
    this.rows = controls.length / sizes.controls - sizes.inLen;
    this.predicted = new Float64Array(this.rows * sizes.predicted);
    this.spread = new Float64Array(this.rows * sizes.predicted);
    this.given = Float64Array.from(initial);
    this.fillPast();
    this.network.encode(this.past, this.state, this.work);
  }

  /** The given rows, standardised; where none of the predicted columns are given, they follow from the controls. */
  fillPast() {
    const { controls, predicted, inLen } = this.sizes, columns = controls + predicted;
    for (let t = 0; t < inLen; t++) {
      const from = t * columns;
      for (let i = 0; i < controls; i++)
        this.past[from + i] = this.first[i] = this.standardised(this.controls[t * controls + i], i);
      if (this.network.firstRow !== null) {
        this.network.firstRow(this.first, this.row, this.work);
        this.given = Float64Array.from(this.row.subarray(0, predicted), (value, j) => this.restored(value, j));
        this.past.set(this.row.subarray(0, predicted), from + controls);
      } else for (let j = 0; j < predicted; j++)
        this.past[from + controls + j] = this.standardised(this.given[t * predicted + j], controls + j);
    }
  }

  /** In the steps of float32 that PyTorch takes. */
  standardised(value, column) {
    const { offset, mean, divisor } = this.scaling;
    return Math.fround(Math.fround(value - offset[column]) - mean[column]) / divisor[column];
  }

  restored(value, j) {
    const { outputMean, outputScale, offset } = this.scaling;
    return Math.fround(Math.fround(value * outputScale[j]) + outputMean[j]) + offset[this.sizes.controls + j];
  }

  /** Predict on, for so many milliseconds or to the end; whether the end is reached. */
  advance(milliseconds = Infinity) {
    const { controls, predicted, inLen, rowsPerStep } = this.sizes, until = performance.now() + milliseconds;
    while (this.done < this.rows && performance.now() < until) {
      for (let r = 0; r < rowsPerStep; r++) {
        // Past the end the last row is repeated.
        const from = (inLen + Math.min(this.done + r, this.rows - 1)) * controls;
        for (let i = 0; i < controls; i++)
          this.control[r * controls + i] = this.standardised(this.controls[from + i], i);
      }
      this.network.advance(this.state, this.control, this.next, this.row, this.deviation, this.work);
      [this.state, this.next] = [this.next, this.state];
      for (let r = 0; r < rowsPerStep && this.done < this.rows; r++, this.done++) {
        for (let j = 0; j < predicted; j++) {
          const at = this.done * predicted + j;
          this.predicted[at] = this.restored(this.row[r * predicted + j], j);
          this.spread[at] = this.deviation[r * predicted + j] * Math.abs(this.scaling.outputScale[j]);
        }
      }
    }
    return this.done === this.rows;
  }
}

/** Half-widths (H, P) of the band around a free run, of one scope: q (s + g(t)). */
function halfWidths(band, scope, spread, columns) {
  const knots = decoded(band.knots), { factor, growth } = decodedAll(band.scopes[scope]);
  const halves = new Float64Array(spread.length), last = knots.length - 1;
  for (let row = 0, right = 0; row < spread.length / columns; row++) {
    while (right < last && knots[right] < row) right++;
    const left = Math.max(0, right - 1), width = knots[right] - knots[left];
    const share = width > 0 ? Math.min(1, Math.max(0, (row - knots[left]) / width)) : 0;
    for (let j = 0; j < columns; j++) {
      const from = growth[left * columns + j], to = growth[right * columns + j];
      halves[row * columns + j] = factor[j] * (spread[row * columns + j] + from + share * (to - from));
    }
  }
  return halves;
}

// As in training_range.py.
const AVERAGES = [5, 50, 500], MOVED_CONSTANT = 10, BEYOND = 1.005;

/** How far a value leaves the range of its column, in halves of it from its middle; 0 where it does not. */
function beyond(value, low, high) {
  const away = Math.abs(value - (low + high) / 2), half = (high - low) / 2;
  const position = half > 0 ? away / half : away > 1e-6 * Math.max(Math.abs(low), Math.abs(high)) ? MOVED_CONSTANT : 0;
  return position > 1 + 1e-6 ? position : 0;
}

/** Distance (T) of each row of a schedule from the training cases, as TrainingRange.position: beyond 1 it is farther. */
function positions(surrogate, controls) {
  const { range, low, high, scaling } = surrogate, count = surrogate.sizes.controls;
  const rows = controls.length / count, found = new Float64Array(rows);
  const size = count * (1 + AVERAGES.length), features = new Float64Array(size), scaled = new Float64Array(size);
  for (let t = 0; t < rows; t++) {
    for (let i = 0; i < count; i++) {
      const value = controls[t * count + i];
      found[t] = Math.max(found[t], beyond(value, low[i], high[i]));
      features[i] = Math.fround((value - scaling.offset[i] - scaling.mean[i]) / scaling.divisor[i]);
      AVERAGES.forEach((rowsOfAverage, a) => {
        const at = count * (1 + a) + i, rate = 1 - Math.exp(-1 / rowsOfAverage);
        features[at] = t === 0 ? features[i] : features[at] + rate * (features[i] - features[at]);
      });
    }
    if (range === null) continue;
    for (let d = 0; d < size; d++) scaled[d] = features[d] / range.control_scale[d];
    let nearest = Infinity;
    for (let k = 0; k < range.control_rows.length; k += size) {
      let square = 0;
      for (let d = 0; d < size && square < nearest; d++) square += (scaled[d] - range.control_rows[k + d]) ** 2;
      nearest = Math.min(nearest, square);
    }
    found[t] = Math.max(found[t], Math.sqrt(nearest / size) / range.units[0]);
  }
  return found;
}

// Of work before what is done is sent, and of a run that goes on although there is a newer request [ms]: a user who
// drags on and on sees runs that end soon whole, and the beginning of others.
const SLICE = 40, PATIENCE = 300;

/** Answers requests for free runs, the newest of each variant; what was done of a long one is sent on the way. */
class Server {
  constructor(surrogate, send) {
    Object.assign(this, { surrogate, send, waiting: new Map(), run: null, request: null, began: 0, busy: false });
  }

  ask(request) {
    this.waiting.delete(request.variant);
    this.waiting.set(request.variant, request);
    if (!this.busy) {
      this.busy = true;
      this.work();
    }
  }

  work() {
    const late = this.run !== null && performance.now() - this.began > PATIENCE;
    if (this.run === null || (late && this.waiting.has(this.request.variant))) {
      const [newest] = [...this.waiting.values()].reverse();
      if (newest === undefined) return void (this.busy = false);
      this.waiting.delete(newest.variant);
      this.request = newest;
      this.began = performance.now();
      this.run = new FreeRun(this.surrogate, newest.initial, newest.controls);
    }
    const { run, request } = this, finished = run.advance(SLICE);
    const { variant, id, asked } = request;
    this.send({
      variant, id, asked, finished, done: run.done, given: run.given, predicted: run.predicted, spread: run.spread,
      positions: finished ? positions(this.surrogate, request.controls) : null,
    });
    if (finished) this.run = null;
    setTimeout(() => this.work());
  }
}

/** All of a worker. */
function serve(scope) {
  let server = null;
  scope.onmessage = ({ data }) => {
    if (data.surrogate) server = new Server(openSurrogate(data.surrogate), answer => scope.postMessage(answer));
    else server.ask(data);
  };
}

/** Free runs of cases that are in the page only while it is checked, before it is written; the answer as an element. */
function answerCheck(data, cases) {
  const surrogate = openSurrogate(data), unaided = openSurrogate(data, true), columns = data.predicted.length, parts = [];
  for (const { initial, controls, plain, bands } of cases) {
    const run = new FreeRun(plain ? unaided : surrogate, decoded(initial), decoded(controls));
    run.advance();
    parts.push(run.predicted);
    for (const scope of bands ? Object.keys(data.band.scopes) : [])
      parts.push(halfWidths(data.band, scope, run.spread, columns));
  }
  const bytes = new Uint8Array(8 * parts.reduce((sum, part) => sum + part.length, 0)), letters = [];
  let end = 0;
  for (const part of parts) {
    bytes.set(new Uint8Array(part.buffer), end);
    end += part.byteLength;
  }
  for (let i = 0; i < end; i += 0x6000) letters.push(btoa(String.fromCharCode(...bytes.subarray(i, i + 0x6000))));
  return letters.join("");
}
