"use strict";
/* The page of two runs side by side. */
const PAIR = JSON.parse(document.getElementById("content").textContent);
const BLOCKS = document.querySelectorAll("script.block");
const RUNS = PAIR.runs;
const part = id => document.querySelector(`#${id} .content`);
const COLORS = ["--c0", "--c1"];
const finite = value => value !== null && value !== undefined;
const meanOf = (rows, j) => rows.reduce((sum, row) => sum === null || row[j] === null ? null : sum + row[j] / rows.length, 0);
const placeOf = (run, name) => run.channels.predicted.indexOf(name);

function comparison(one, other) {
  if (!finite(one) && !finite(other)) return make("span", {}, "–");
  if (!finite(one) || !finite(other)) return make("span", { className: finite(other) ? "good" : "bad" }, t("diverged"));
  const change = one > 0 ? other / one - 1 : 0;
  if (Math.abs(change) < 0.0005) return make("span", { className: "soft" }, "=");
  return make("span", { className: change < 0 ? "good" : "bad" }, `${change > 0 ? "+" : "−"}${Math.abs(100 * change).toFixed(Math.abs(change) < 0.1 ? 1 : 0)} %`);
}

function drawError() {
  const place = part("error"), [a, b] = RUNS;
  const shared = PAIR.data.common_test.length, same = shared === a.cases.length && a.cases.length === b.cases.length;
  place.append(make("p", { className: shared ? "" : "bad" }, t(same ? "same_cases" : shared ? "other_cases" : "no_common_cases", { n: shared, a: a.cases.length, b: b.cases.length })));
  // Errors over other cases say nothing about which run is better.
  const against = shared ? comparison : () => "–";
  const head = [{ text: t("target") }, { text: t("unit") }, { text: "A: ADE", number: true }, { text: "B: ADE", number: true }, { text: t("b_against_a"), number: true }];
  const common = a.channels.targets.filter(name => placeOf(b, name) >= 0);
  const rows = common.map(name => {
    const values = RUNS.map(run => {
      const j = placeOf(run, name), kept = run.cases.flatMap((item, i) => PAIR.data.common_test.includes(item) ? [run.scores.ade[i]] : []);
      return kept.length ? meanOf(kept, j) : meanOf(run.scores.ade, j);
    });
    return { cells: [nameOf(name), a.channels.units[a.channels.controls.length + placeOf(a, name)], num(values[0]), num(values[1]), against(...values)],
      keys: [name, "", values[0], values[1], values[1] / values[0]] };
  });
  place.append(table(head, rows));
  const costs = [["nADE", run => run.scores.nade, against], ["nFDE", run => run.scores.nfde, against], [t("fit_seconds"), run => run.training.cost?.fit_seconds],
    [t("per_case"), run => run.training.cost && 1000 * run.training.cost.seconds_per_case], [t("parameters"), run => run.training.cost?.parameters], [t("epochs"), run => run.training.cost?.epochs]];
  place.append(table([{ text: t("whole_runs") }, { text: "A", number: true }, { text: "B", number: true }, { text: t("b_against_a"), number: true }],
    costs.map(([label, read, compare = comparison]) => ({ cells: [label, num(read(a)), num(read(b)), compare(read(a), read(b))] })), { fixed: true }));
  if (!shared) return;
  const cases = PAIR.data.common_test.map(name => [name, a.scores.case_nade[a.cases.indexOf(name)], b.scores.case_nade[b.cases.indexOf(name)]]);
  place.append(make("h3", {}, t("by_case")), make("p", { className: "soft small" }, t("click_case")), table([{ text: t("case") }, { text: "A: nADE", number: true }, { text: "B: nADE", number: true }, { text: t("b_against_a"), number: true }],
    cases.map(([name, one, other]) => ({ cells: [nameOf(name), num(one), num(other), comparison(one, other)], keys: [name, one, other, other / one], onClick: () => showCase(name, true) })), { className: "limited" }));
}

function drawConfiguration() {
  const place = part("configuration"), rows = PAIR.configuration;
  if (!rows.length) { place.append(make("p", {}, t("nothing_differs"))); return; }
  place.append(table([{ text: t("key") }, { text: "A" }, { text: "B" }, { text: t("remarks") }],
    rows.map(item => ({ cells: [item.key, ...item.values.map(value => value ?? "–"), item.decides ? "" : t("no_effect")] }))));
}

function drawData() {
  const place = part("data"), { fingerprints, counts, moved, columns, targets } = PAIR.data;
  if (fingerprints.some(text => text === null)) place.append(make("p", {}, t("unknown_data")));
  else place.append(make("p", { className: fingerprints[0] === fingerprints[1] ? "" : "bad" }, t(fingerprints[0] === fingerprints[1] ? "same_files" : "other_files", { a: fingerprints[0], b: fingerprints[1] })));
  place.append(table([{ text: "" }, { text: t("training"), number: true }, { text: t("validation"), number: true }, { text: t("test"), number: true }],
    ["A", "B"].map((name, k) => ({ cells: [name, String(counts[k].training), String(counts[k].validation), String(counts[k].test)] })), { fixed: true }));
  if (moved.length) place.append(make("details", {}, make("summary", {}, t("moved", { n: moved.length })), table([{ text: t("case") }, { text: "A" }, { text: "B" }],
    moved.map(item => ({ cells: [nameOf(item.case), ...item.parts.map(text => text ? t(text) : "–")] })), { className: "limited" })));
  columns.forEach((names, k) => { if (names.length) place.append(make("p", {}, t("only_columns", { run: "AB"[k] }), " ", names.map(shown).join(", "))); });
  if (targets[0].join("\n") !== targets[1].join("\n")) place.append(make("p", {}, t("other_targets")));
}

const SHOWN = { zoom: new ZoomGroup("pair"), name: null };

async function showCase(name, scroll) {
  SHOWN.name = name;
  SHOWN.zoom.range = null;
  SHOWN.zoom.clear();
  document.getElementById("case").value = name;
  const charts = document.getElementById("case-charts"), [a, b] = RUNS;
  const loaded = await Promise.all(RUNS.map(async (run, k) => {
    const i = run.cases.indexOf(name), meta = run.curves[i], block = BLOCKS[i + (k ? a.curves.length : 0)];
    return { run, meta, time: timesOf(meta), curves: await unpack16(block.textContent, meta.low, meta.high), i };
  }));
  if (SHOWN.name !== name) return;
  dropCharts(charts);
  for (const column of a.channels.targets.filter(target => placeOf(b, target) >= 0)) {
    const [one, other] = loaded.map(item => ({ ...item, j: placeOf(item.run, column), controls: item.run.channels.controls.length, predicted: item.run.channels.predicted.length }));
    const curve = (item, kind) => item.curves[item.controls + kind * item.predicted + item.j];
    const ade = item => num(item.run.scores.ade[item.i][item.j]);
    addFigure(charts, column, a.channels.units[one.controls + one.j], `ADE A ${ade(one)}, B ${ade(other)}`, `curve-${one.j}`, holder => joined(holder, [
      { x: Array.from(one.time), columns: [{ values: Array.from(curve(one, 0)), color: "--truth", width: 1.6 }, { values: Array.from(curve(one, 1)), color: COLORS[0] }] },
      { x: Array.from(other.time), columns: [{ values: Array.from(curve(other, 1)), color: COLORS[1], dash: [6, 3] }] },
    ], { group: SHOWN.zoom, marks: marksOf(one.meta) }));
  }
  if (scroll) document.getElementById("cases").scrollIntoView();
}

function drawCases() {
  const place = part("cases"), names = RUNS.every(run => run.curves.length) ? PAIR.data.common_test : [];
  if (!names.length) { place.append(make("p", {}, t("no_common_curves"))); return; }
  const gap = name => RUNS.map(run => run.scores.case_nade[run.cases.indexOf(name)]);
  const order = [...names].sort((x, y) => { const [a, b] = gap(x), [c, d] = gap(y); return Math.abs(d - c) - Math.abs(b - a); });
  const choose = make("select", { id: "case", "aria-label": t("case") }, ...order.map(name => make("option", { value: name }, `${shown(name)} · A ${num(gap(name)[0], 3)}, B ${num(gap(name)[1], 3)}`)));
  choose.addEventListener("change", () => showCase(choose.value));
  place.append(make("p", { className: "soft small" }, t("cases_how")), make("div", { className: "tools bar no-print" }, choose),
    colorKey([...(RUNS[0].truth === false ? [] : [[t("truth"), "--truth", "line"]]), ["A", COLORS[0], "line"], ["B", COLORS[1], "dash"]]), make("div", { className: "charts", id: "case-charts" }));
  showCase(order[0]);
}

drawError();
drawConfiguration();
drawData();
drawCases();
