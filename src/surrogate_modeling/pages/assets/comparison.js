"use strict";
/* The page of a comparison: models and recipes beside the baselines. */
const COMPARISON = JSON.parse(document.getElementById("content").textContent);
const part = id => document.querySelector(`#${id} .content`);
const rows = COMPARISON.rows;
const mean = values => !values.length || values.some(value => value === null) ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
const spread = values => {
  const middle = mean(values);
  return values.length < 2 || middle === null ? null : Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1));
};
const isChosen = row => COMPARISON.chosen && row.model === COMPARISON.chosen[0] && row.recipe === COMPARISON.chosen[1];
const label = row => row.recipe ? `${row.model}, ${row.recipe}` : row.model;
const withSpread = values => {
  if (!values.length) return "–";
  const middle = mean(values), wide = spread(values);
  return middle === null ? t("diverged") : wide === null ? num(middle) : `${num(middle)} ± ${num(wide, 2)}`;
};

function bars(values, edge, baseline) {
  const bar = make("span", { className: "bar-cell wide" }), middle = mean(values);
  if (middle !== null) {
    const fill = make("i");
    fill.style.width = `${Math.min(100, 100 * middle / edge)}%`;
    if (baseline) fill.style.background = "var(--c7)";
    bar.append(fill);
  }
  for (const value of values) {
    if (value === null || value > edge) continue;
    const mark = make("u");
    mark.style.left = `${100 * value / edge}%`;
    bar.append(mark);
  }
  return bar;
}

function drawModels() {
  const baselines = rows.filter(row => !row.recipe).map(row => mean(row.nade)).filter(value => value !== null);
  const limit = baselines.length ? 1.6 * Math.max(...baselines) : Infinity;
  const edge = 1.05 * Math.max(...rows.map(row => mean(row.nade)).filter(value => value !== null && value <= limit), 1e-12);
  const head = [{ text: t("model") }, { text: t("recipe") }, { text: t("seeds"), number: true }, { text: "nADE", number: true }, { text: "" }, { text: "nFDE", number: true }, { text: t("validation"), number: true }, { text: t("training"), number: true }, { text: t("prediction_ms"), number: true }, { text: t("parameters"), number: true }];
  part("models").append(make("p", { className: "soft small" }, t("models_how")), table(head, rows.map(row => ({
    className: isChosen(row) ? "best" : "",
    cells: [nameOf(row.model), row.recipe || "–", row.lost.length ? `${row.nade.length}/${row.nade.length + row.lost.length}` : String(row.nade.length), withSpread(row.nade), bars(row.nade, edge, !row.recipe), withSpread(row.nfde), row.validation.length ? num(mean(row.validation)) : "–",
      num((mean(row.fit_seconds) ?? NaN) / 60, 3), num(1000 * (mean(row.seconds_per_case) ?? NaN), 3), mean(row.parameters)?.toLocaleString("en", { maximumFractionDigits: 0 }) ?? "–"],
    keys: [row.model, row.recipe, row.nade.length, mean(row.nade), mean(row.nade), mean(row.nfde), row.validation.length ? mean(row.validation) : null, mean(row.fit_seconds), mean(row.seconds_per_case), mean(row.parameters)],
  }))));
}

function drawTrade() {
  const pairs = make("div", { className: "pair" });
  part("trade").append(make("p", { className: "soft small" }, t("trade_how")), pairs);
  for (const [name, read] of [[t("training"), row => (mean(row.fit_seconds) ?? NaN) / 60], [t("prediction_ms"), row => 1000 * (mean(row.seconds_per_case) ?? NaN)]]) {
    const live = make("span", { className: "live" }), holder = make("div", { className: "chart tall" });
    pairs.append(make("div", { className: "figure" }, make("header", {}, make("b", {}, name), live), holder));
    const own = rows.filter(row => read(row) > 0 && mean(row.nade) !== null), place = row => Math.log10(read(row));
    if (!own.length) continue;
    whenSeen(holder, () => {
      const x = own.map(place), span = Math.max(...x) - Math.min(...x) || 1;
      const kind = (trained, color_) => ({ x: own.filter(row => Boolean(row.recipe) === trained).map(place), columns: [{ values: own.filter(row => Boolean(row.recipe) === trained).map(row => mean(row.nade)), color: color_, dots: 8 }] });
      const plot = joined(holder, [kind(true, "--c0"), kind(false, "--c7")].filter(item => item.x.length), { range: [Math.min(...x) - 0.08 * span, Math.max(...x) + 0.08 * span], height: 300, xLabel: name, yLabel: "nADE", log: true, live: (k, u) => {
        if (k === null || k === undefined) { live.textContent = ""; return; }
        const near = own.reduce((a, b) => Math.abs(place(b) - u.data[0][k]) < Math.abs(place(a) - u.data[0][k]) ? b : a);
        live.textContent = `${shown(label(near))}: nADE ${num(mean(near.nade))}, ${num(read(near), 3)}`;
      } });
      plot.axes[0].values = (u, ticks) => ticks.map(tick => num(10 ** tick, 2));
      plot.redraw(false, true);
    });
  }
}

function drawTargets() {
  const names = [...new Set(rows.flatMap(row => Object.keys(row.targets)))], place = part("targets");
  const least = name => Math.min(...rows.map(row => row.targets[name] ?? Infinity));
  place.append(make("p", { className: "soft small" }, t("targets_how")), table([{ text: t("target") }, ...rows.filter(row => row.nade.length).map(row => ({ text: label(row), number: true }))],
    names.map(name => {
      const values = rows.filter(row => row.nade.length).map(row => row.targets[name] ?? null);
      return { cells: [nameOf(name), ...values.map(value => make("span", { className: value !== null && value === least(name) ? "good" : "" }, value === null ? t("diverged") : num(value)))], keys: [name, ...values] };
    })));
}

function drawRest() {
  const [head, ...lines] = COMPARISON.weights;
  if (head) part("weights").append(table(head.map((text, k) => ({ text, number: k > 1 })), lines.map(cells => ({ cells }))));
  else document.getElementById("weights").remove();
  const lost = rows.flatMap(row => row.lost.map(reason => `${label(row)}: ${reason}`));
  if (lost.length) part("lost").append(make("ul", { className: "plain" }, ...lost.map(text => make("li", {}, shownLines(text)))));
  else document.getElementById("lost").remove();
  part("repeat").append(commandBox(COMPARISON.command));
}

function drawLearning() {
  const place = part("learning");
  if (!place) return;
  const { curves, table: [head, ...lines], goal } = COMPARISON.learning;
  const colors = curves.map((curve, i) => `--c${i % 8}`), log = values => values.map(Math.log10);
  const live = make("span", { className: "live" }), holder = make("div", { className: "chart tall" });
  place.append(make("p", { className: "soft small" }, t("learning_how")), make("div", { className: "figure" }, make("header", {}, make("b", {}, "nADE"), live), holder),
    colorKey(curves.map((curve, i) => [curve.name, colors[i], curve.is_baseline ? "dash" : "line"])),
    table(head.map((text, k) => ({ text, number: k > 1 })), lines.map(cells => ({ cells }))));
  whenSeen(holder, () => {
    const tables = [], bands = [], names = [];
    curves.forEach((curve, i) => {
      const own = { color: colors[i] };
      if (curve.counts.length) {
        const first = names.length;
        tables.push({ x: log(curve.counts), columns: [{ ...own, values: curve.law, dash: curve.is_baseline ? [5, 4] : undefined }, { ...own, values: curve.low, width: 0.4 }, { ...own, values: curve.high, width: 0.4 }] });
        names.push([curve, true], [curve, false], [curve, false]);
        bands.push({ upper: first + 2, lower: first + 1, color: "--given" });
      }
      for (const errors of curve.errors) { tables.push({ x: log(curve.cases), columns: [{ ...own, values: errors, dots: 5 }] }); names.push([curve, false]); }
    });
    const x = log(curves.flatMap(curve => [...curve.cases, ...curve.counts]));
    if (goal) tables.push({ x: [Math.min(...x), Math.max(...x)], columns: [{ color: "--soft", values: [goal, goal], dash: [2, 3] }] });
    const plot = joined(holder, tables, { range: [Math.min(...x) - 0.05, Math.max(...x) + 0.05], height: 300, xLabel: t("training_cases"), yLabel: "nADE", log: true, bands, live: (k, u) => {
      if (k === null || k === undefined) { live.textContent = ""; return; }
      const at = 10 ** u.data[0][k];
      live.textContent = `${num(at, 3)}: ` + curves.filter(curve => curve.counts.length).map(curve => {
        const near = curve.counts.reduce((best, count, i) => Math.abs(count - at) < Math.abs(curve.counts[best] - at) ? i : best, 0);
        return `${shown(curve.name)} ${num(curve.law[near], 3)}`;
      }).join(" · ");
    } });
    plot.axes[0].values = (u, ticks) => ticks.map(tick => num(10 ** tick, 2));
    plot.redraw(false, true);
  });
}

for (const box of document.querySelectorAll(".command-text")) box.replaceWith(commandBox(box.textContent.trim()));
drawLearning();
drawModels();
drawTrade();
drawTargets();
drawRest();
