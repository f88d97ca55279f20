"use strict";
/* The page of a run: tables of targets, data, training, and how to repeat it. */
function drawTargets() {
  const place = part("targets"), names = Object.keys(SCORES.baselines);
  const head = [{ text: t("target") }, { text: t("unit") }, { text: "ADE", number: true }, { text: "FDE", number: true }, { text: t("ade_std"), number: true },
    ...names.map(name => ({ text: `${name} ADE`, number: true })), { text: t("verdict_column") }];
  const rows = targetIndices.map(j => {
    const ade = meanOf(SCORES.ade, j), better = [], worse = [];
    for (const name of names) {
      const other = SCORES.baselines[name].ade?.[j] ?? null;
      if (other === null) continue;
      (RUN.verdict.worse[name]?.includes(predicted[j]) ? worse : better).push(name);
    }
    const verdict = make("span", { className: worse.length ? "bad" : "good" }, !names.length || !better.length && !worse.length ? "–" : worse.length ? t("worse_than", { names: worse.join(", ") }) : t("better_than_all"));
    const values = [ade, meanOf(SCORES.fde, j), share(ade, j), ...names.map(name => SCORES.baselines[name].ade?.[j] ?? null)];
    return { cells: [nameOf(predicted[j]), unitOf(j), ...values.map((value, k) => value === null && k < 3 ? t("diverged") : num(value)), verdict],
      keys: [predicted[j], unitOf(j), ...values, worse.length] };
  });
  place.append(make("p", { className: "soft small" }, t("targets_how")), table(head, rows));
  const totals = [["nADE", SCORES.nade, "nade"], ["nFDE", SCORES.nfde, "nfde"]].map(([label, own, key]) => ({
    cells: [label, own === null ? t("diverged") : num(own), ...names.map(name => num(SCORES.baselines[name][key]))] }));
  place.append(table([{ text: t("all_targets") }, { text: t("this_run"), number: true }, ...names.map(name => ({ text: name, number: true }))], totals));
  const groups = Object.entries(RUN.groups);
  if (groups.length > 1) place.append(make("h3", {}, t("groups")), table([{ text: t("group") }, { text: t("n_cases"), number: true }, { text: "nADE", number: true }, { text: "nFDE", number: true }],
    groups.map(([name, [nade, nfde, n]]) => ({ cells: [nameOf(name), String(n), num(nade), num(nfde)], keys: [name, n, nade, nfde] }))));
}

function drawData() {
  const place = part("data"), data = RUN.data;
  if (data) {
    const count = name => data.cases.filter(item => item.part === name).length;
    place.append(make("p", {}, t("split", { training: count("training"), validation: count("validation"), test: count("test"), step: num(data.step) })));
    const grouped = data.cases.some(item => item.unit !== null);
    place.append(make("details", {}, make("summary", {}, t("all_cases", { n: data.cases.length })), table(
      [{ text: t("case") }, { text: t("part") }, ...(grouped ? [{ text: t("group") }] : []), { text: t("rows"), number: true }, { text: t("seconds"), number: true }],
      data.cases.map(item => ({ cells: [nameOf(item.name), t(`in_${item.part}`), ...(grouped ? [item.unit ?? "–"] : []), String(item.rows), num(item.seconds)],
        keys: [item.name, item.part, ...(grouped ? [item.unit] : []), item.rows, item.seconds] })), { className: "limited" })));
    const roles = column => controls.includes(column.name) ? t(RUN.channels.parameters.includes(column.name) ? "parameter" : "control") : t(targets.includes(column.name) ? "target" : "byproduct");
    place.append(make("h3", {}, t("columns")), make("p", { className: "soft small" }, t("columns_how")), table(
      [{ text: t("column") }, { text: t("unit") }, { text: t("role") }, { text: t("least"), number: true }, { text: t("largest"), number: true }, { text: t("mean"), number: true }, { text: t("std"), number: true }, { text: t("histogram") }, { text: t("remarks") }],
      data.columns.map((column, k) => ({ cells: [nameOf(column.name), units[k], roles(column), num(column.low), num(column.high), num(column.mean), num(column.std), histogram(column.counts, column.test_counts), remarks(column)],
        keys: [column.name, units[k], roles(column), column.low, column.high, column.mean, column.std, 0, remarks(column)] })), { className: "limited" }));
    place.append(make("p", { className: "soft small" }, t("fingerprint", { text: shown(data.fingerprint) })));
  }
  const warnings = Object.entries(RUN.warnings || {});
  place.append(make("h3", {}, t("warnings")));
  place.append(warnings.length ? make("ul", { className: "plain" }, ...warnings.map(([text, n]) => make("li", {}, n > 1 ? `${n} × ${shownLines(text)}` : shownLines(text)))) : make("p", {}, t(RUN.warnings ? "no_warnings" : "unknown_warnings")));
}

function remarks(column) {
  const found = [];
  if (column.constant) found.push(t("constant"));
  if (column.test_low !== null && column.test_low < column.low - 1e-9 * Math.abs(column.low)) found.push(t("test_below", { value: num(column.test_low) }));
  if (column.test_high !== null && column.test_high > column.high + 1e-9 * Math.abs(column.high)) found.push(t("test_above", { value: num(column.test_high) }));
  return found.join("; ");
}

function drawTraining() {
  const place = part("training"), training = RUN.training, cost = training.cost;
  const facts = [];
  if (cost) {
    facts.push([t("fit_seconds"), `${num(cost.fit_seconds, 3)} s`], [t("epochs"), String(cost.epochs)], [t("parameters"), cost.parameters.toLocaleString("en")],
      [t("per_case"), `${num(1000 * cost.seconds_per_case, 3)} ms`], [t("real_time"), `× ${num(cost.real_time, 3)}`], [t("device"), cost.device]);
    if (cost.memory_bytes) facts.push([t("memory"), `${num(cost.memory_bytes / 2 ** 20, 4)} MiB`]);
    if (cost.device_memory_bytes) facts.push([t("device_memory"), `${num(cost.device_memory_bytes / 2 ** 20, 4)} MiB`]);
  }
  if (facts.length) place.append(table([{ text: t("cost") }, { text: "", number: true }], facts.map(cells => ({ cells })), { fixed: true }));
  const costs = Object.entries(training.baselines || {});
  if (costs.length) place.append(make("p", { className: "soft small" }, costs.map(([name, item]) => t("baseline_cost", { name, fit: num(item.fit_seconds, 3), ms: num(1000 * item.seconds_per_case, 3) })).join(" ")));
  const curves = Object.entries(training.curves), kinds = [...new Set(curves.map(([name]) => name.split("/").pop()))];
  const pairs = make("div", { className: "pair" });
  place.append(pairs);
  for (const kind of kinds) {
    const own = curves.filter(([name]) => name.split("/").pop() === kind);
    if (kind === "train_loss" && kinds.includes("val_loss")) continue;
    const both = kind === "val_loss" ? [...own, ...curves.filter(([name]) => name.split("/").pop() === "train_loss")] : own;
    const figure = addTall(pairs, kind === "val_loss" ? t("losses") : kind, t("log_scale"), holder => joined(holder, both.map(([name, [steps, values]], k) => ({ x: steps, columns: [{ values: values.map(value => value > 0 ? value : null), color: `--c${k % 8}`, dash: name.endsWith("train_loss") ? [4, 3] : undefined }] })),
      { height: 300, log: true, whole: true, xLabel: t("epoch") }));
    figure.append(colorKey(both.slice(0, 16).map(([name], k) => [name, `--c${k % 8}`, name.endsWith("train_loss") ? "dash" : "line"])));
  }
  if (!curves.length) pairs.append(make("p", { className: "soft" }, t("no_curves_of_training")));
  if (training.members) drawMembers(place, training.members);
  const shares = Object.entries(training.shares);
  if (shares.length) place.append(make("h3", {}, t("shares")), make("p", { className: "soft small" }, t("shares_how")), table([{ text: t("target") }, { text: t("network_share"), number: true }],
    shares.map(([name, value]) => ({ cells: [nameOf(name), num(value, 3)], keys: [name, value] }))));
}

function drawMembers(place, members) {
  const mean = k => targetIndices.reduce((sum, j) => sum + members.weights[k][j], 0) / targetIndices.length;
  const error = k => targetIndices.reduce((sum, j) => sum + members.errors[k][j], 0) / targetIndices.length;
  place.append(make("h3", {}, t("members")), make("p", { className: "soft small" }, t("members_how")), table([{ text: t("member") }, { text: t("left_out_error"), number: true }, { text: t("weight"), number: true }],
    members.names.map((name, k) => ({ cells: [name, num(error(k)), num(mean(k), 3)], keys: [name, error(k), mean(k)] }))));
  const head = [{ text: t("column") }, { text: t("weights") }];
  place.append(colorKey(members.names.map((name, k) => [name, `--c${k % 8}`, "area"])), table(head, inOrder.map(j => {
    const bar = make("span", { className: "stack" });
    members.names.forEach((name, k) => {
      const piece = make("i", { title: `${name} ${num(members.weights[k][j], 3)}` });
      piece.style.cssText = `width:${100 * members.weights[k][j]}%;background:var(--c${k % 8})`;
      bar.append(piece);
    });
    return { cells: [nameOf(predicted[j]), bar], keys: [predicted[j], 0] };
  }), { className: "limited" }));
}

function drawRepeat() {
  const place = part("repeat"), repeat = RUN.repeat;
  if (repeat.command) place.append(make("p", {}, t("train_again")), commandBox(repeat.command));
  place.append(make("p", {}, t("at_commit", { commit: shown(repeat.commit) })));
  if (repeat.reference) {
    place.append(make("p", {}, t("use_it")), commandBox(`pdm run predict surrogate=${repeat.reference} cases=<folder> output=out`),
      commandBox(`pdm run export format=onnx surrogate=${repeat.reference} output=surrogate.onnx`), make("p", {}, t("in_python")),
      commandBox(`from surrogate_modeling.deployment.loading import load_surrogate\n\nsurrogate = load_surrogate("${repeat.reference}")\ntrajectory = surrogate.free_run(initial, controls)`));
  } else if (repeat.command) place.append(make("p", {}, t("not_saved")));
  const versions = Object.entries(repeat.versions || {});
  if (versions.length) place.append(make("h3", {}, t("versions")), make("p", {}, versions.map(([name, text]) => `${name} ${text}`).join(", ")));
  const keys = Object.entries(repeat.configuration || {});
  if (keys.length) place.append(make("details", {}, make("summary", {}, t("configuration")), table([{ text: t("key") }, { text: t("value") }], keys.map(cells => ({ cells })), { className: "limited" })));
}

for (const box of document.querySelectorAll(".command-text")) box.replaceWith(commandBox(box.textContent.trim()));
drawTargets();
drawCaseTools();
drawErrors();
drawData();
drawTraining();
drawRepeat();
if (RUN.curves.length) drawCase();
