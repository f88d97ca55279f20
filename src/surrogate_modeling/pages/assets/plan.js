"use strict";
/* The page of a proposal: why each schedule was chosen, all candidates, and the schedules. */
const PLAN = JSON.parse(document.getElementById("content").textContent);
const BLOCKS = [...document.querySelectorAll(".block")].map(block => block.textContent);
const part = id => document.querySelector(`#${id} .content`);

function bar(value, largest) {
  const cell = make("span", { className: "bar-cell" }), fill = make("i");
  fill.style.width = `${Math.min(100, 100 * value / (largest || 1))}%`;
  cell.append(fill);
  return make("span", {}, cell, ` ${num(value, 3)}`);
}

function drawChosen() {
  const most = key => Math.max(...PLAN.chosen.map(item => item[key] ?? 0));
  const columns = [
    ["rank", item => String(item.rank), item => item.rank, true],
    ["schedule", item => `${item.name}.csv`, item => item.name],
    ["distance", item => bar(item.distance, most("distance")), item => item.distance],
    ["when_chosen", item => bar(item.when_chosen, most("distance")), item => item.when_chosen],
    ["outside", item => `${num(100 * item.outside, 2)} %`, item => item.outside, true],
    ["farthest", item => item.farthest, item => item.farthest],
    ...(PLAN.has_spread ? [["spread", item => bar(item.spread, most("spread")), item => item.spread]] : []),
    ...(PLAN.has_band ? [["half_width", item => bar(item.band, most("band")), item => item.band]] : []),
    ...(PLAN.chosen.every(item => item.origin.length < 40) ? [["made_of", item => item.origin, item => item.origin]] : []),
  ];
  const rows = PLAN.chosen.map((item, i) => ({
    cells: columns.map(column => column[1](item)), keys: columns.map(column => column[2](item)),
    onClick: () => { show(i); document.getElementById("schedules").scrollIntoView(); },
  }));
  part("chosen").append(make("p", { className: "soft small" }, t("how")), table(columns.map(column => ({ text: t(column[0]), number: column[3] })), rows));
}

function drawAmong() {
  const place = part("among"), holder = make("div", { className: "chart tall" }), live = make("span", { className: "live" });
  const second = PLAN.by === "band" && PLAN.has_band ? "band" : PLAN.has_spread ? "spread" : null;
  const ordered = [...PLAN.candidates].sort((a, b) => b.distance - a.distance);
  const x = second ? item => item.distance : item => ordered.indexOf(item) + 1, y = second ? item => item[second] : item => item.distance;
  const kinds = [ordered.filter(item => !item.rank), ordered.filter(item => item.rank)];
  place.append(make("p", { className: "soft small" }, t(second ? "among_how" : "by_rank")), make("div", { className: "figure" }, make("header", {}, make("b", {}, ""), live), holder));
  whenSeen(holder, () => {
    const tables = kinds.map((items, own) => ({ x: items.map(x), columns: [{ values: items.map(y), color: own ? "--predicted" : "--c7", dots: own ? 9 : 5 }] })).filter(item => item.x.length);
    const every = ordered.map(x), span = Math.max(...every) - Math.min(...every) || 1;
    joined(holder, tables, {
      range: [Math.min(...every) - 0.04 * span, Math.max(...every) + 0.04 * span], height: 300, xLabel: t(second ? "distance" : "place"), yLabel: t(second === "band" ? "half_width" : second || "distance"),
      live: (k, u) => {
        const at = k === null || k === undefined ? null : u.data[0][k];
        const near = at === null ? null : ordered.reduce((found, item) => found === null || Math.abs(x(item) - at) < Math.abs(x(found) - at) ? item : found, null);
        live.textContent = near ? shown(`${near.name}: ${num(near.distance, 3)}${second ? `, ${num(near[second], 3)}` : ""}`) : "";
      },
    });
  });
  place.append(colorKey([[t("chosen_one"), "--predicted", "dot"], [t("candidate"), "--c7", "dot"]]));
}

const picker = make("select", {}), figures = make("div", { className: "charts" }), title = make("p", { className: "name" });
const zoom = new ZoomGroup("schedule");

function drawSchedules() {
  PLAN.chosen.forEach((item, i) => picker.append(make("option", { value: String(i) }, `${item.rank}. ${shown(item.name)}`)));
  picker.addEventListener("change", () => show(Number(picker.value)));
  part("schedules").append(make("div", { className: "bar tools" }, make("label", {}, `${t("choose_schedule")} `, picker)), title,
    colorKey([[t("control"), "--c0", "line"], [t("range"), "--given", "area"], [t("beyond"), "--outside", "area"]]), figures);
  show(0);
}

/** Stretches of the schedule whose rows are far from the training cases. */
function farStretches(item) {
  const count = item.near.length, width = item.end / (count - 1);
  return item.near.flatMap((value, k) => value > 1 ? [{ from: Math.max(0, (k - 0.5) * width), to: Math.min(item.end, (k + 0.5) * width), color: "--outside" }] : []);
}

function figure(name, draw) {
  const live = make("span", { className: "live" }), holder = make("div", { className: "chart" });
  figures.append(make("div", { className: "figure" }, make("header", {}, make("b", { className: "name" }, name), live), holder));
  whenSeen(holder, () => draw(holder, live));
}

async function show(i) {
  const item = PLAN.chosen[i], curves = await unpack16(BLOCKS[i], item.low, item.high);
  picker.value = String(i);
  title.textContent = shown(item.origin);
  dropCharts(figures);
  zoom.clear();
  zoom.range = null;
  const points = curves[0].length, x = Array.from({ length: points }, (_, k) => item.end * k / (points - 1)), marks = farStretches(item);
  const said = (live, unit, values, times) => k => { live.textContent = k === null || k === undefined ? "" : `${num(times[k], 4)} s: ${num(values[k], 4)} ${shown(unit)}`; };
  const near = item.near.map((_, k) => item.end * k / (item.near.length - 1));
  figure(t("near_rows"), (holder, live) => chart(holder, {
    x: near, series: [{ values: item.near, color: "--predicted" }, { values: near.map(() => 1), color: "--c7", dash: [4, 4], width: 1 }],
    marks, group: zoom, xLabel: t("time"), zero: true, live: said(live, "", item.near, near),
  }));
  PLAN.controls.forEach((control, j) => figure(`${titled(control.name, control.unit)}${control.name === item.farthest ? ` · ${t("farthest")}` : ""}`, (holder, live) => chart(holder, {
    x, marks, group: zoom, xLabel: t("time"), live: said(live, control.unit, curves[j], x), bands: [{ upper: 1, lower: 2, color: "--given" }],
    series: [{ values: curves[j], color: "--c0" }, { values: x.map(() => PLAN.high[j]), color: "--line", width: 0.5 }, { values: x.map(() => PLAN.low[j]), color: "--line", width: 0.5 }],
  })));
}

drawChosen();
drawAmong();
drawSchedules();
