"use strict";
/* The page of a search: history, importance, slices, Pareto front, trials. */
const SEARCH = JSON.parse(document.getElementById("content").textContent);
const part = id => document.querySelector(`#${id} .content`);
const complete = SEARCH.trials.filter(trial => trial.values);
const best = new Set(SEARCH.best);
const better = (k, a, b) => SEARCH.directions[k] === "maximize" ? a > b : a < b;

function tall(parent, title, draw) {
  const live = make("span", { className: "live" }), holder = make("div", { className: "chart tall" });
  parent.append(make("div", { className: "figure" }, make("header", {}, make("b", { className: "name" }, shown(title)), live), holder));
  whenSeen(holder, () => draw(holder, live));
}

const said = trial => trial ? `${t("trial")} ${trial.number}: ${SEARCH.objective.map((name, k) => `${name} ${num(trial.values[k])}`).join(", ")}` : "";
const nearest = (trials, value, at) => trials.reduce((found, trial) => found === null || Math.abs(value(trial) - at) < Math.abs(value(found) - at) ? trial : found, null);
const pointer = (trials, value, live) => (k, u) => { live.textContent = k === null || k === undefined ? "" : said(nearest(trials, value, u.data[0][k])); };

function drawHistory() {
  const place = part("history"), pairs = make("div", { className: "pair" });
  if (!complete.length) { place.append(make("p", {}, t("no_results"))); return; }
  place.append(pairs);
  SEARCH.objective.forEach((name, k) => tall(pairs, name, (holder, live) => {
    let least = null;
    const steps = complete.map(trial => {
      if (least === null || better(k, trial.values[k], least)) least = trial.values[k];
      return least;
    });
    const x = complete.map(trial => trial.number), positive = complete.every(trial => trial.values[k] > 0);
    const wide = positive && Math.max(...complete.map(trial => trial.values[k])) > 20 * Math.min(...complete.map(trial => trial.values[k]));
    joined(holder, [{ x, columns: [{ values: complete.map(trial => trial.values[k]), color: "--c0", dots: 6 }, { values: steps, color: "--predicted", width: 1.6 }] }],
      { range: [Math.min(...x) - 0.5, Math.max(...x) + 0.5], height: 300, log: wide, whole: true, xLabel: t("trial"), live: pointer(complete, trial => trial.number, live) });
  }));
  place.append(colorKey([[t("a_trial"), "--c0", "dot"], [t("best_so_far"), "--predicted", "line"]]));
  if (SEARCH.objective.length > 1) drawFront(place);
}

function drawFront(place) {
  place.append(make("h3", {}, t("front")), make("p", { className: "soft small" }, t("front_how")));
  const pairs = make("div", { className: "pair" });
  place.append(pairs);
  for (let k = 1; k < SEARCH.objective.length; k++) tall(pairs, `${SEARCH.objective[0]} · ${SEARCH.objective[k]}`, (holder, live) => {
    const kind = front => complete.filter(trial => best.has(trial.number) === front);
    const table_ = trials => ({ x: trials.map(trial => trial.values[0]), columns: [{ values: trials.map(trial => trial.values[k]), color: trials === others ? "--c7" : "--predicted", dots: trials === others ? 5 : 8 }] });
    const others = kind(false), front = kind(true), x = complete.map(trial => trial.values[0]), span = Math.max(...x) - Math.min(...x) || 1;
    joined(holder, [...(others.length ? [table_(others)] : []), table_(front)],
      { range: [Math.min(...x) - 0.05 * span, Math.max(...x) + 0.05 * span], height: 300, xLabel: SEARCH.objective[0], yLabel: SEARCH.objective[k], live: pointer(complete, trial => trial.values[0], live) });
  });
  place.append(colorKey([[t("on_front"), "--predicted", "dot"], [t("a_trial"), "--c7", "dot"]]));
}

function drawImportance() {
  const place = part("importance"), found = Object.entries(SEARCH.importance);
  if (!found.length) { place.append(make("p", {}, t("no_importance"))); return; }
  place.append(make("p", { className: "soft small" }, t("importance_how")));
  for (const [name, shares] of found) {
    if (found.length > 1) place.append(make("h3", {}, name));
    place.append(table([{ text: t("key") }, { text: t("share"), number: true }, { text: "" }], Object.entries(shares).sort((a, b) => b[1] - a[1]).map(([key, share]) => {
      const bar = make("span", { className: "bar-cell" }), fill = make("i");
      fill.style.width = `${100 * share}%`;
      bar.append(fill);
      return { cells: [key, `${(100 * share).toFixed(0)} %`, bar] };
    }), { fixed: true }));
  }
}

function drawSlices() {
  const place = part("slices"), pairs = make("div", { className: "charts" });
  const varied = SEARCH.keys.filter(key => new Set(complete.map(trial => JSON.stringify(trial.params[key] ?? null))).size > 1);
  if (!varied.length) { place.append(make("p", {}, t("no_slices"))); return; }
  place.append(make("p", { className: "soft small" }, t("slices_how")), pairs);
  for (const key of varied) SEARCH.objective.forEach((name, k) => tall(pairs, SEARCH.objective.length > 1 ? `${key} · ${name}` : key, (holder, live) => drawSlice(holder, live, key, k)));
}

function drawSlice(holder, live, key, k) {
  const own = complete.filter(trial => key in trial.params), numeric = own.every(trial => typeof trial.params[key] === "number");
  const choices = [...new Set(own.map(trial => String(trial.params[key])))];
  const value = trial => numeric ? trial.params[key] : choices.indexOf(String(trial.params[key]));
  const numbers = own.map(value), logarithmic = numeric && Math.min(...numbers) > 0 && Math.max(...numbers) > 30 * Math.min(...numbers);
  const place = trial => logarithmic ? Math.log10(value(trial)) : value(trial);
  const x = own.map(place), span = Math.max(...x) - Math.min(...x) || 1;
  const kind = front => own.filter(trial => best.has(trial.number) === front);
  const tables = [kind(false), kind(true)].map((trials, front) => ({ x: trials.map(place), columns: [{ values: trials.map(trial => trial.values[k]), color: front ? "--predicted" : "--c0", dots: front ? 8 : 5 }] })).filter(item => item.x.length);
  const plot = joined(holder, tables, { range: [Math.min(...x) - 0.06 * span, Math.max(...x) + 0.06 * span], height: 240, live: pointer(own, place, live) });
  if (logarithmic) plot.axes[0].values = (u, ticks) => ticks.map(tick => num(10 ** tick, 3));
  if (!numeric) {
    plot.axes[0].splits = () => choices.map((_, i) => i);
    plot.axes[0].values = (u, ticks) => ticks.map(tick => shown(choices[tick] ?? ""));
  }
  if (logarithmic || !numeric) plot.redraw(false, true);
}

function drawBest() {
  const place = part("best");
  if (!SEARCH.best_yaml) { place.append(make("p", {}, t("no_results"))); return; }
  place.append(make("p", {}, t("best_file")), commandBox("pdm run train --config-dir <folder> --config-name best"), make("details", {}, make("summary", {}, "best.yaml"), make("pre", {}, shownLines(SEARCH.best_yaml))));
  const save = make("button", {}, t("save_yaml"));
  save.addEventListener("click", () => download("best.yaml", SEARCH.best_yaml, "text/yaml"));
  place.append(save);
}

function drawTrials() {
  const text = value => value === null || value === undefined ? "null" : typeof value === "number" ? num(value, 5) : String(value);
  const head = [{ text: t("trial"), number: true }, { text: t("state") }, ...SEARCH.objective.map(name => ({ text: name, number: true })), ...SEARCH.keys.map(key => ({ text: key })), { text: t("seconds"), number: true }, { text: t("reason") }];
  part("trials").append(make("p", { className: "soft small" }, t("sort_how")), table(head, SEARCH.trials.map(trial => ({
    className: best.has(trial.number) ? "best" : "",
    cells: [String(trial.number), trial.state, ...SEARCH.objective.map((_, k) => trial.values ? num(trial.values[k], 5) : "–"), ...SEARCH.keys.map(key => key in trial.params ? text(trial.params[key]) : "–"), num(trial.seconds, 3), trial.reason],
    keys: [trial.number, trial.state, ...SEARCH.objective.map((_, k) => trial.values ? trial.values[k] : null), ...SEARCH.keys.map(key => trial.params[key] ?? null), trial.seconds, trial.reason],
  }))));
}

for (const box of document.querySelectorAll(".command-text")) box.replaceWith(commandBox(box.textContent.trim()));
drawHistory();
drawImportance();
drawSlices();
drawBest();
drawTrials();
