"use strict";
/* The page of a run: its trajectories and its errors. */
const RUN = JSON.parse(document.getElementById("content").textContent);
const BLOCKS = document.querySelectorAll("script.block");
const { controls, predicted, targets, units } = RUN.channels;
const CONTROLS = controls.length, PREDICTED = predicted.length;
const SCORES = RUN.scores;
const targetIndices = targets.map(name => predicted.indexOf(name));
const inOrder = [...targetIndices, ...predicted.keys()].filter((j, k, all) => all.indexOf(j) === k);
const unitOf = j => units[CONTROLS + j];
const part = id => document.querySelector(`#${id} .content`);
const worstFirst = [...RUN.cases.keys()].sort((a, b) => (SCORES.case_nade[b] ?? Infinity) - (SCORES.case_nade[a] ?? Infinity));
const meanOf = (rows, j) => {
  let sum = 0;
  for (const row of rows) { if (row[j] === null) return null; sum += row[j]; }
  return sum / rows.length;
};
const share = (value, j) => value === null || value === undefined ? null : value / SCORES.scale[j];

/** Curves of one case: time of the points, and the arrays in their order. */
const unpacked = new Map();
async function curvesOf(i) {
  if (!unpacked.has(i)) {
    const meta = RUN.curves[i];
    const curves = await unpack16(BLOCKS[i].textContent, meta.low, meta.high);
    unpacked.set(i, { meta, curves, time: timesOf(meta) });
  }
  return unpacked.get(i);
}

const CASES = {
  zoom: new ZoomGroup("cases"), shown: worstFirst[0] ?? 0, filter: "", controls: false, byproducts: false, extra: new Set(), scope: 0,
};

function drawCaseTools() {
  const place = part("cases");
  if (!RUN.curves.length) { place.append(make("p", {}, t("no_curves"))); return; }
  const choose = make("select", { "aria-label": t("case"), id: "case" });
  for (const i of worstFirst) {
    const error = SCORES.case_nade[i];
    choose.append(make("option", { value: String(i) }, `${shown(RUN.cases[i])} · nADE ${error === null ? t("diverged") : num(error, 3)}`));
  }
  const step = by => {
    const at = worstFirst.indexOf(CASES.shown) + by;
    if (at >= 0 && at < worstFirst.length) showCase(worstFirst[at]);
  };
  const search = make("input", { type: "search", placeholder: t("search_column"), "aria-label": t("search_column"), id: "column-search" });
  search.addEventListener("input", () => { CASES.filter = search.value.trim().toLowerCase(); drawCase(); });
  const pressed = (label, key) => {
    const button = make("button", { "aria-pressed": String(CASES[key]) }, label);
    button.addEventListener("click", () => {
      CASES[key] = !CASES[key];
      button.setAttribute("aria-pressed", String(CASES[key]));
      drawCase();
    });
    return button;
  };
  const reset = make("button", {}, t("whole_time"));
  reset.addEventListener("click", () => {
    const meta = RUN.curves[CASES.shown];
    CASES.zoom.set(meta.start, meta.end);
  });
  const scopes = RUN.band.length > 1 ? make("select", { "aria-label": t("band_scope"), id: "scope" },
    ...RUN.band.map((scope, k) => make("option", { value: String(k) }, t(`scope_${scope}`)))) : null;
  scopes?.addEventListener("change", () => { CASES.scope = Number(scopes.value); drawCase(); });
  choose.addEventListener("change", () => showCase(Number(choose.value)));
  const arrow = (sign, by, label) => {
    const button = make("button", { title: label, "aria-label": label }, sign);
    button.addEventListener("click", () => step(by));
    return button;
  };
  place.append(
    make("p", { className: "soft small" }, t("cases_how")),
    make("div", { className: "tools bar no-print" }, choose, arrow("◀", -1, t("worse_case")), arrow("▶", 1, t("better_case")), search,
      targets.length < PREDICTED ? pressed(t("show_byproducts"), "byproducts") : null, pressed(t("show_controls"), "controls"), scopes, reset),
    make("div", { id: "case-note", className: "small soft" }), make("div", { id: "case-key" }), make("div", { className: "charts", id: "case-charts" }),
  );
}

function showCase(i, column) {
  if (CASES.shown !== i) CASES.zoom.range = null;
  CASES.shown = i;
  document.getElementById("case").value = String(i);
  if (column !== undefined) CASES.extra.add(column);
  drawCase().then(() => {
    if (column === undefined) return;
    document.getElementById("cases").scrollIntoView();
    document.getElementById(`curve-${column}`)?.scrollIntoView({ block: "center" });
  });
}

let drawing = 0;
async function drawCase() {
  const ticket = ++drawing, i = CASES.shown, data = await curvesOf(i);
  if (ticket !== drawing) return;
  const { meta } = data, charts = document.getElementById("case-charts");
  dropCharts(charts);
  CASES.zoom.clear();
  const matches = name => name.toLowerCase().includes(CASES.filter);
  const chosen = CASES.filter ? inOrder.filter(j => matches(predicted[j]))
    : inOrder.filter(j => targetIndices.includes(j) || CASES.byproducts || CASES.extra.has(j));
  const inputs = CASES.filter ? controls.map((name, j) => j).filter(j => matches(controls[j])) : CASES.controls ? [...controls.keys()] : [];
  const marks = marksOf(meta);
  const outside = meta.outside.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  const notes = [];
  if (!meta.whole) notes.push(t("thinned", { rows: meta.rows, points: meta.points }));
  if (outside) notes.push(t("rows_outside", { n: outside, all: meta.rows }));
  if (RUN.errors?.reach) notes.push(t("case_reach", { reach: num(RUN.errors.reach[i], 3) }));
  document.getElementById("case-note").textContent = notes.join(" ");
  const entries = [[t("prediction"), "--predicted", "line"], [t("given_rows"), "--given", "area"]];
  if (RUN.truth !== false) entries.unshift([t("truth"), "--truth", "line"]);
  if (RUN.band.length) entries.push([bandName(), "--band", "area"]);
  if (outside) entries.push([t("outside_range"), "--outside", "area"]);
  document.getElementById("case-key").replaceChildren(colorKey(entries));
  for (const j of inputs) addFigure(charts, controls[j], units[j], t("control"), `input-${j}`, (holder, live) =>
    chart(holder, { x: data.time, series: [{ values: data.curves[j], color: "--c0", width: 1.3 }], marks, group: CASES.zoom,
      live: k => { live.textContent = k === null || k === undefined ? "" : num(data.curves[j][k]); } }));
  for (const j of chosen) addFigure(charts, predicted[j], unitOf(j), scoreText(i, j), `curve-${j}`, (holder, live) => drawColumn(holder, live, data, j, marks));
  if (!inputs.length && !chosen.length) charts.append(make("p", {}, t("no_column", { text: shown(CASES.filter) })));
}

function bandName() { return t("band", { level: Math.round(100 * RUN.level) }); }

function scoreText(i, j) {
  const ade = SCORES.ade[i][j], fde = SCORES.fde[i][j];
  const leaves = RUN.curves[i].leaves.includes(j) ? ` · ${t("leaves")}` : "";
  return `ADE ${ade === null ? t("diverged") : num(ade)}, FDE ${fde === null ? t("diverged") : num(fde)}${leaves}`;
}

/** Half-width of the band of a column in the chosen scope; null without a band. */
function halfWidth(data, j) {
  const scope = RUN.band[CASES.scope];
  if (!scope) return null;
  const width = data.curves[CONTROLS + (scope === "row" ? 2 : 3) * PREDICTED + j];
  return scope === "all" ? width.map(value => value * RUN.all_targets_ratio[j]) : width;
}

function drawColumn(holder, live, data, j, marks) {
  const truth = data.curves[CONTROLS + j], rows = data.curves[CONTROLS + PREDICTED + j];
  const width = halfWidth(data, j);
  const series = [], bands = [];
  if (width) {
    series.push({ values: rows.map((value, k) => value + width[k]), color: "--band", width: 0 }, { values: rows.map((value, k) => value - width[k]), color: "--band", width: 0 });
    bands.push({ upper: 0, lower: 1, color: "--band" });
  }
  series.push({ values: truth, color: "--truth", width: 1.6 }, { values: rows, color: "--predicted", width: 1.4 });
  chart(holder, { x: data.time, series, bands, marks, group: CASES.zoom, live: k => {
    live.textContent = k === null || k === undefined ? ""
      : `${num(data.time[k])} s: ${num(truth[k])} → ${num(rows[k])}${width ? ` ± ${num(width[k], 3)}` : ""}`;
  } });
}

function drawErrors() {
  const place = part("errors");
  place.append(make("h3", {}, t("map_title")), make("p", { className: "soft small" }, t("map_how")));
  const map = make("div"), most = 400;
  place.append(map);
  const rows = worstFirst.slice(0, most);
  if (worstFirst.length > most) place.append(make("p", { className: "soft small" }, t("map_cut", { n: most, all: worstFirst.length })));
  whenSeen(map, () => heatMap(map, {
    rows: rows.map(i => RUN.cases[i]), columns: inOrder.map(j => predicted[j]), split: targets.length, unit: t("std_unit"),
    value: (a, b) => share(SCORES.ade[rows[a]][inOrder[b]], inOrder[b]), onClick: (a, b) => showCase(rows[a], inOrder[b]),
  }));
  const pairs = make("div", { className: "pair" });
  place.append(pairs);
  if (RUN.errors?.over_time) addTall(pairs, t("over_time"), t("over_time_how"), drawOverTime);
  if (RUN.errors?.over_distance && RUN.errors.reach.some(value => value !== null)) addTall(pairs, t("over_distance"), t("over_distance_how"), drawOverDistance);
  if (RUN.errors?.scatter) drawScatterTools(pairs);
  drawCoverage(place);
}

function addTall(parent, title, how, draw) {
  const holder = make("div", { className: "chart tall" });
  const figure = make("div", { className: "figure" }, make("h3", {}, title), make("p", { className: "soft small" }, how), holder);
  parent.append(figure);
  whenSeen(holder, () => draw(holder, figure));
  return figure;
}

async function drawOverTime(holder, figure) {
  const data = RUN.errors.over_time, curves = await unpack16(data.packed, data.high.map(() => 0), data.high);
  const mean = data.time.map((_, k) => targetIndices.reduce((sum, j) => sum + curves[j][k], 0) / targetIndices.length);
  const few = targetIndices.slice(0, 8);
  const series = [{ values: curves[PREDICTED + 1], color: "--given", width: 0 }, { values: curves[PREDICTED], color: "--given", width: 0 },
    ...(targets.length > 1 ? few.map((j, k) => ({ values: curves[j], color: `--c${k}`, width: 1.1 })) : []), { values: mean, color: "--text", width: 2.2 }];
  chart(holder, { x: data.time, series, bands: [{ upper: 0, lower: 1, color: "--given" }], height: 300, zero: true, xLabel: t("time_since"), yLabel: t("error_std") });
  figure.append(colorKey([[t("mean_targets"), "--text", "line"], [t("most_cases"), "--given", "area"],
    ...(targets.length > 1 ? few.map((j, k) => [predicted[j], `--c${k}`, "line"]) : [])]));
  if (data.left_out) figure.append(make("p", { className: "soft small" }, t("left_out", { n: data.left_out })));
}

function drawOverDistance(holder, figure) {
  const { bins, largest, left_out } = RUN.errors.over_distance, keep = RUN.cases.map((_, i) => i).filter(i => SCORES.case_nade[i] !== null && SCORES.case_nade[i] <= 10);
  const reach = keep.map(i => Math.min(RUN.errors.reach[i], largest));
  const right = Math.max(1.1, ...reach.map(value => value + 0.05)), left = Math.max(0, Math.min(...reach, ...bins.map(bin => bin[0])) - 0.1);
  const tables = [{ x: reach, columns: [{ values: keep.map(i => SCORES.case_nade[i]), color: "--predicted", dots: 6 }] }];
  if (bins.length) tables.unshift({ x: bins.map(bin => bin[0]), columns: [
    { values: bins.map(bin => bin[3]), color: "--given", width: 0 }, { values: bins.map(bin => bin[2]), color: "--given", width: 0 },
    { values: bins.map(bin => bin[1]), color: "--text", width: 1.8, dots: 4, line: true }] });
  const names = make("div", { className: "tip" }, " ");
  joined(holder, tables, { range: [left, right], height: 300, zero: true, xLabel: t("distance"), yLabel: t("error_std"),
    bands: bins.length ? [{ upper: 0, lower: 1, color: "--given" }] : [], marks: [{ from: 1, to: right, color: "--outside" }],
    live: (k, u) => {
      const at = k === null || k === undefined ? NaN : u.data[0][k];
      const near = keep.filter((i, n) => Math.abs(reach[n] - at) < 1e-6);
      names.textContent = near.map(i => `${shown(RUN.cases[i])}: nADE ${num(SCORES.case_nade[i], 3)}`).join(" · ") || " ";
    } });
  figure.append(names, colorKey([[t("mean_rows"), "--text", "line"], [t("most_rows"), "--given", "area"], [t("a_case"), "--predicted", "dot"], [t("beyond_one"), "--outside", "area"]]));
  if (left_out) figure.append(make("p", { className: "soft small" }, t("left_out", { n: left_out })));
}

function drawScatterTools(parent) {
  const choose = make("select", { "aria-label": t("column") }, ...inOrder.map(j => make("option", { value: String(j) }, titled(predicted[j], unitOf(j)))));
  const figure = addTall(parent, t("scatter"), t("scatter_how"), async holder => {
    const data = RUN.errors.scatter, curves = await unpack16(data.packed, [...data.low, ...data.low], [...data.high, ...data.high]);
    const draw = () => {
      const j = Number(choose.value), truth = curves[j], rows = curves[PREDICTED + j];
      if (holder.chart) { liveCharts.delete(holder.chart); holder.chart.destroy(); }
      const low = Math.min(...truth), high = Math.max(...truth);
      joined(holder, [{ x: Array.from(truth), columns: [{ values: Array.from(rows), color: "--predicted", dots: 3 }] },
        { x: [low, high], columns: [{ values: [low, high], color: "--soft", dash: [5, 4] }] }],
      { height: 300, xLabel: titled(t("truth"), unitOf(j)), yLabel: t("prediction") });
    };
    draw();
    choose.addEventListener("change", draw);
  });
  figure.querySelector("p").after(choose);
}

function drawCoverage(place) {
  if (!RUN.coverage.length) return;
  place.append(make("h3", {}, t("coverage")), make("p", { className: "soft small" }, t("coverage_how")));
  for (const table_ of RUN.coverage) {
    const head = [{ text: t("column") }, { text: t("unit") }, { text: t("promised"), number: true }, { text: t("reached"), number: true }, { text: "" }, { text: t("least_case"), number: true }, { text: t("half_width"), number: true }];
    const percent = value => value === null ? "–" : `${(100 * value).toFixed(1)} %`;
    const rows = inOrder.filter(j => table_.reached[j] !== null).map(j => {
      const bar = make("span", { className: "bar-cell" }), fill = make("i"), mark = make("u");
      fill.style.width = `${100 * table_.reached[j]}%`;
      mark.style.left = `${100 * table_.promised}%`;
      bar.append(fill, mark);
      const reached = make("span", { className: table_.reached[j] < table_.promised - 0.05 ? "bad" : "" }, percent(table_.reached[j]));
      return { cells: [nameOf(predicted[j]), unitOf(j), percent(table_.promised), reached, bar, percent(table_.least?.[j] ?? null), num(table_.half_width[j])],
        keys: [predicted[j], unitOf(j), table_.promised, table_.reached[j], table_.reached[j], table_.least?.[j], table_.half_width[j]] };
    });
    place.append(make("p", {}, t("coverage_all", { scope: t(`scope_${table_.scope}`), promised: percent(table_.promised), reached: percent(table_.all_targets) })), table(head, rows, { className: "limited" }));
  }
}
