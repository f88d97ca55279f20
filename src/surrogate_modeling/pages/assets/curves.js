"use strict";
/* Curves of a case: times of the points, marked stretches, and the figure of one column. */
function rowTime(meta, row) { return meta.rows > 1 ? meta.start + (meta.end - meta.start) * row / (meta.rows - 1) : meta.start; }

function timesOf(meta) {
  const times = new Float64Array(meta.points);
  for (let k = 0; k < meta.points; k++) {
    if (meta.whole) { times[k] = rowTime(meta, k); continue; }
    // Two points for each piece of rows, at a quarter and at three quarters of it.
    const pieces = meta.points / 2, piece = k >> 1;
    const first = Math.floor(piece * meta.rows / pieces), next = Math.floor((piece + 1) * meta.rows / pieces);
    times[k] = rowTime(meta, first + (next - 1 - first) * (k % 2 ? 0.75 : 0.25));
  }
  return times;
}

function marksOf(meta) {
  const marks = meta.given ? [{ from: meta.start, to: rowTime(meta, meta.given), color: "--given" }] : [];
  return [...marks, ...meta.outside.map(([first, last]) => ({ from: rowTime(meta, first), to: rowTime(meta, last), color: "--outside", edge: "--edge" }))];
}

function addFigure(parent, name, unit, note, id, draw) {
  const live = make("span", { className: "live" }, note);
  const holder = make("div", { className: "chart" });
  parent.append(make("div", { className: "figure", id }, make("header", {}, make("b", { className: "name" }, titled(name, unit)), live), holder));
  const watched = { note, set textContent(text) { live.textContent = text || note; } };
  whenSeen(holder, () => draw(holder, watched));
}
