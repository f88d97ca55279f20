"use strict";
/* The page of an adaptation: what was tried, errors before and after, trajectories of cases that nothing was fitted to. */
const ADAPTED = JSON.parse(document.getElementById("content").textContent);
const BLOCKS = [...document.querySelectorAll(".block")].map(block => block.textContent);
const part = id => document.querySelector(`#${id} .content`);
const shownError = value => value === null ? t("diverged") : num(value);
/** Two errors as cells: before, after, and the change, green where it fell. */
function change(before, after) {
  if (before === null || after === null || before === 0) return "–";
  const share = Math.round(100 * (after / before - 1));
  return make("span", { className: after < before ? "good" : "" }, `${share > 0 ? "+" : ""}${share} %`);
}

function drawTried() {
  part("tried").append(make("p", { className: "soft small" }, t("tried_how")), table(
    [{ text: t("how") }, { text: "nADE", number: true }, { text: t("seconds"), number: true }],
    ADAPTED.tried.map(item => ({ className: item.how === ADAPTED.how ? "best" : "", cells: [item.how, shownError(item.nade), num(item.seconds, 3)], keys: [item.how, item.nade, item.seconds] }))));
}

function drawErrors() {
  const parts = [["new", ADAPTED.new], ["old", ADAPTED.old]].filter(([, content]) => content);
  const head = [{ text: t("target") }, { text: t("unit") }, ...parts.flatMap(([name]) => [{ text: `${t(`cases_${name}`)}: ${t("before")}`, number: true }, { text: t("after"), number: true }, { text: t("change"), number: true }])];
  const cells = pairs => pairs.flatMap(([before, after]) => [shownError(before), shownError(after), change(before, after)]);
  const lines = ADAPTED.targets.map((name, j) => ({ cells: [nameOf(name), ADAPTED.units[j], ...cells(parts.map(([, content]) => content.targets.map(values => values[j])))] }));
  lines.push({ className: "best", cells: ["nADE", "–", ...cells(parts.map(([, content]) => content.nade))] });
  part("errors").append(make("p", { className: "soft small" }, t("errors_how")), table(head, lines, { fixed: true }));
}

function drawCases() {
  const lines = [["new", ADAPTED.new], ["old", ADAPTED.old]].filter(([, content]) => content).flatMap(([name, content]) =>
    content.cases.map((own, i) => {
      const [before, after] = content.case_nade.map(values => values[i]);
      return { cells: [nameOf(own), t(`cases_${name}`), shownError(before), shownError(after), change(before, after)], keys: [own, name, before, after, before ? after / before : null] };
    }));
  part("cases").append(table([{ text: t("case") }, { text: "" }, { text: t("before"), number: true }, { text: t("after"), number: true }, { text: t("change"), number: true }], lines, { className: "limited" }));
}

const zoom = new ZoomGroup("time"), figures = make("div", { className: "charts" });
const picker = make("select", { id: "case-picker" });

async function show(i) {
  const item = ADAPTED.drawn[i], curves = await unpack16(BLOCKS[i], item.low, item.high), count = ADAPTED.targets.length;
  const points = curves[0].length, x = Array.from({ length: points }, (_, k) => item.start + (item.end - item.start) * k / (points - 1));
  dropCharts(figures);
  zoom.clear();
  zoom.range = null;
  ADAPTED.targets.forEach((name, j) => {
    const live = make("span", { className: "live" }), holder = make("div", { className: "chart" });
    figures.append(make("div", { className: "figure" }, make("header", {}, make("b", { className: "name" }, titled(name, ADAPTED.units[j])), live), holder));
    const [truth, before, after] = [0, 1, 2].map(k => curves[k * count + j]);
    whenSeen(holder, () => chart(holder, {
      x, group: zoom, xLabel: t("time"),
      series: [{ values: truth, color: "--truth" }, { values: before, color: "--c7", dash: [5, 4] }, { values: after, color: "--predicted" }],
      live: k => { live.textContent = k === null || k === undefined ? "" : `${num(x[k], 4)} s: ${t("truth")} ${num(truth[k])}, ${t("before")} ${num(before[k])}, ${t("after")} ${num(after[k])}`; },
    }));
  });
}

function drawCurves() {
  ADAPTED.drawn.forEach((item, i) => picker.append(make("option", { value: String(i) }, `${shown(item.name)}: ${shownError(ADAPTED.new.case_nade[1][item.place])}`)));
  picker.addEventListener("change", () => show(Number(picker.value)));
  part("curves").append(make("div", { className: "bar tools" }, make("label", {}, `${t("choose_case")} `, picker)),
    colorKey([[t("truth"), "--truth", "line"], [t("before"), "--c7", "dash"], [t("after"), "--predicted", "line"]]), figures);
  show(0);
}

function drawLineage() {
  part("lineage").append(table([{ text: t("key") }, { text: t("value") }], ADAPTED.facts.map(cells => ({ cells })), { fixed: true }));
}

drawTried();
drawErrors();
drawCases();
drawCurves();
drawLineage();
