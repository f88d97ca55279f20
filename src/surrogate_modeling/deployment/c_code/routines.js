/* Loops shared by all translated networks: routines.h in JavaScript. An array is given as the memory it lies in and
   its first position there. Sums are kept in double until they are stored. */
"use strict";

const expf = Math.exp, tanhf = Math.tanh, sqrtf = Math.sqrt, logf = Math.log, log1pf = Math.log1p;
const expm1f = Math.expm1, fabsf = Math.abs, sinf = Math.sin, cosf = Math.cos, powf = Math.pow;
const smaller = Math.min, larger = Math.max, INFINITY = Infinity, NAN = NaN;

/* Error function by its series of positive terms (Abramowitz and Stegun 1964, 7.1.6); 1 in float32 beyond 4. */
function erff(x) {
    const size = Math.abs(x);
    if (!(size < 4)) return Number.isNaN(x) ? x : Math.sign(x);
    let term = size, sum = size;
    for (let n = 1; term > 1e-10 * sum; n++) {
        term *= 2 * x * x / (2 * n + 1);
        sum += term;
    }
    return Math.sign(x) * 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
}

function sigmoid(x) {
    return 1 / (1 + Math.exp(-x));
}

function position(index, size) {
    return (index | 0) + (index < 0 ? size : 0);
}

/* By the kernel of WebAssembly, in whose memory all arrays lie then; else eight columns at once, whose sums stay in
   registers. */
function dense_layer(x, x0, rows, inputs, outputs, weight, weight0, bias, bias0, y, y0) {
    if (kernel !== null) {
        kernel(x.byteOffset + 4 * x0, weight.byteOffset + 4 * weight0, bias === null ? 0 : bias.byteOffset + 4 * bias0,
               y.byteOffset + 4 * y0, rows, inputs, outputs);
        return;
    }
    const end = x0 + rows * inputs;
    for (; x0 < end; x0 += inputs, y0 += outputs) {
        let j = 0;
        for (; j + 7 < outputs; j += 8) {
            let s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0;
            for (let k = 0, at = weight0 + j; k < inputs; k++, at += outputs) {
                const value = x[x0 + k];
                s0 += value * weight[at];
                s1 += value * weight[at + 1];
                s2 += value * weight[at + 2];
                s3 += value * weight[at + 3];
                s4 += value * weight[at + 4];
                s5 += value * weight[at + 5];
                s6 += value * weight[at + 6];
                s7 += value * weight[at + 7];
            }
            y[y0 + j] = s0;
            y[y0 + j + 1] = s1;
            y[y0 + j + 2] = s2;
            y[y0 + j + 3] = s3;
            y[y0 + j + 4] = s4;
            y[y0 + j + 5] = s5;
            y[y0 + j + 6] = s6;
            y[y0 + j + 7] = s7;
        }
        for (; j < outputs; j++) {
            let sum = 0;
            for (let k = 0, at = weight0 + j; k < inputs; k++, at += outputs) sum += x[x0 + k] * weight[at];
            y[y0 + j] = sum;
        }
        if (bias !== null) for (j = 0; j < outputs; j++) y[y0 + j] += bias[bias0 + j];
    }
}

function lstm_layer(x, x0, rows, inputs, size, input, input0, state, state0, input_bias, input_bias0, state_bias,
                    state_bias0, h, h0, c, c0, gates, gates0, y, y0) {
    const from_state = gates0 + 4 * size;
    for (let r = 0; r < rows; r++) {
        dense_layer(x, x0 + r * inputs, 1, inputs, 4 * size, input, input0, input_bias, input_bias0, gates, gates0);
        dense_layer(h, h0, 1, size, 4 * size, state, state0, state_bias, state_bias0, gates, from_state);
        for (let j = 0; j < 4 * size; j++) gates[gates0 + j] += gates[from_state + j];
        for (let j = 0; j < size; j++) {
            const keep = sigmoid(gates[gates0 + size + j]) * c[c0 + j];
            c[c0 + j] = keep + sigmoid(gates[gates0 + j]) * Math.tanh(gates[gates0 + 2 * size + j]);
            h[h0 + j] = sigmoid(gates[gates0 + 3 * size + j]) * Math.tanh(c[c0 + j]);
            y[y0 + r * size + j] = h[h0 + j];
        }
    }
}

function gru_layer(x, x0, rows, inputs, size, input, input0, state, state0, input_bias, input_bias0, state_bias,
                   state_bias0, h, h0, gates, gates0, y, y0) {
    const from_state = gates0 + 3 * size;
    for (let r = 0; r < rows; r++) {
        dense_layer(x, x0 + r * inputs, 1, inputs, 3 * size, input, input0, input_bias, input_bias0, gates, gates0);
        dense_layer(h, h0, 1, size, 3 * size, state, state0, state_bias, state_bias0, gates, from_state);
        for (let j = 0; j < size; j++) {
            const reset = sigmoid(gates[gates0 + j] + gates[from_state + j]);
            const update = sigmoid(gates[gates0 + size + j] + gates[from_state + size + j]);
            const fresh = Math.tanh(gates[gates0 + 2 * size + j] + reset * gates[from_state + 2 * size + j]);
            h[h0 + j] = (1 - update) * fresh + update * h[h0 + j];
            y[y0 + r * size + j] = h[h0 + j];
        }
    }
}

function layer_norm(x, x0, rows, size, weight, weight0, bias, bias0, eps, y, y0) {
    for (let r = 0; r < rows; r++) {
        const from = x0 + r * size, to = y0 + r * size;
        let mean = 0, square = 0;
        for (let j = 0; j < size; j++) mean += x[from + j];
        mean /= size;
        for (let j = 0; j < size; j++) square += (x[from + j] - mean) * (x[from + j] - mean);
        const rate = 1 / Math.sqrt(square / size + eps);
        for (let j = 0; j < size; j++) {
            const scaled = (x[from + j] - mean) * rate * (weight === null ? 1 : weight[weight0 + j]);
            y[to + j] = scaled + (bias === null ? 0 : bias[bias0 + j]);
        }
    }
}

/* In place, over the last dimension. */
function softmax(x, x0, rows, size) {
    for (let r = 0; r < rows; r++) {
        const from = x0 + r * size;
        let largest = x[from], sum = 0;
        for (let j = 1; j < size; j++) largest = x[from + j] > largest ? x[from + j] : largest;
        for (let j = 0; j < size; j++) sum += x[from + j] = Math.exp(x[from + j] - largest);
        for (let j = 0; j < size; j++) x[from + j] /= sum;
    }
}
