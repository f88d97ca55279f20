"use strict";
/* The page: variants of a schedule, their controls, and what the surrogate makes of them. */

const MAX_VARIANTS = 4;
let variants = [new Variant(STARTS[0])], current = variants[0], shownScope = DATA.band ? "row" : "none", frame = null;
const $ = id => document.getElementById(id);
const controlCards = [], outcomeCards = [], stale = new Set();
// For whoever measures: how long it took until the change that is on the screen was there [ms], and how many were.
const pace = { asked: 0, redraw: 0, drawn: 0 };

/** What the user is told of a file, a link or a text that cannot be used. */
function tell(message) {
  $("notice").textContent = message ?? "";
  $("notice").hidden = !message;
}

async function refusing(work) {
  try {
    tell(null);
    return await work();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    tell(error.message);
    return undefined;
  }
}

/** A worker that runs the surrogate; in its place the page itself, a slice at a time, where a browser allows none. */
function startEngine() {
  const alone = () => new Server(openSurrogate(DATA), receive);
  let engine = { ask: request => waiting.push(request) }, waiting = [];
  try {
    const source = $("engine").textContent + "serve(self);";
    const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
    worker.onerror = event => {
      event.preventDefault();
      engine = alone();
      variants.forEach(ask);
    };
    worker.onmessage = ({ data }) => receive(data);
    worker.postMessage({ surrogate: DATA });
    engine = { ask: request => worker.postMessage(request) };
  } catch {
    engine = alone();
  }
  return { ask: request => engine.ask(request) };
}

/** Ask for the outcome of a variant. */
function ask(variant) {
  variant.request += 1;
  engine.ask({
    variant: variant.key, id: variant.request, asked: performance.now(), initial: variant.start.initial, controls: variant.controls(),
  });
}

function receive(answer) {
  const variant = variants.find(one => one.key === answer.variant);
  if (variant === undefined) return;
  pace.asked = answer.asked;
  if (!answer.finished && variant.result?.positions) answer.positions = null;
  variant.result = answer;
  refresh(outcomeCards.map(card => card.chart));
}

/** Draw charts before the next frame, each once. */
function refresh(charts) {
  charts.forEach(chart => stale.add(chart));
  frame ??= requestAnimationFrame(() => {
    frame = null;
    stale.forEach(chart => chart.draw());
    stale.clear();
    pace.drawn += 1;
    pace.redraw = performance.now() - pace.asked;
    describe();
  });
}

function changed(control) {
  current.fill(control);
  refresh([controlCards[control].chart]);
  ask(current);
}

/** Make all charts anew: other variants, another theme. */
function rebuild() {
  for (const card of [...controlCards, ...outcomeCards]) card.chart?.build();
  controlCards.forEach(card => card.update());
  tools();
  describe();
}

function choose(variant) {
  current = variant;
  rebuild();
}

function button(text, action, attributes = {}) {
  const made = make("button", { type: "button", ...attributes }, text);
  made.addEventListener("click", action);
  return made;
}

function option(value, text, selected) { return make("option", { value: String(value), selected }, text); }

function chooser(label, options, action, attributes = {}) {
  const select = make("select", { "aria-label": label, title: label, ...attributes }, ...options);
  select.addEventListener("change", () => action(select.value));
  return select;
}

function startName(start) { return start.name === null ? t("training_mean") : shown(start.name); }

/** The line of buttons above the charts. */
function tools() {
  const tabs = variants.map((variant, k) => {
    const tab = button("ABCD"[k], () => choose(variant), { "aria-pressed": String(variant === current), title: t("variant", { name: "ABCD"[k] }) });
    tab.style.color = variantColor(variant);
    return tab;
  });
  const replace = (start, rows) => {
    const variant = new Variant(start, rows);
    variants[variants.indexOf(current)] = variant;
    ask(variant);
    choose(variant);
  };
  const rows = make("input", { type: "number", min: String(IN_LEN + 1), max: String(MAX_ROWS), value: String(current.rows), "aria-label": t("rows"), title: t("rows") });
  rows.addEventListener("change", () => {
    current.setRows(Math.round(Math.min(MAX_ROWS, Math.max(IN_LEN + 1, Number(rows.value) || current.rows))));
    ask(current);
    rebuild();
  });
  const file = make("input", { type: "file", accept: ".csv,text/csv", hidden: true, id: "file" });
  file.addEventListener("change", () => refusing(async () => {
    const [given] = file.files;
    STARTS.push(readCase(given.name.replace(/\.csv$/i, ""), await given.text()));
    replace(STARTS.at(-1));
  }));
  const scopes = ["none", ...Object.keys(DATA.band?.scopes ?? {})];
  $("tools").replaceChildren(
    ...tabs,
    ...(variants.length < MAX_VARIANTS ? [button("+", () => {
      variants.push(current.copy());
      ask(variants.at(-1));
      choose(variants.at(-1));
    }, { title: t("add_variant"), "aria-label": t("add_variant") })] : []),
    ...(variants.length > 1 ? [button("−", () => {
      variants.splice(variants.indexOf(current), 1);
      choose(variants[0]);
    }, { title: t("drop_variant"), "aria-label": t("drop_variant") })] : []),
    make("label", {}, t("start"), " ", chooser(t("start"), STARTS.map((start, k) => option(k, startName(start), start === current.start)),
      k => replace(STARTS[k]), { id: "start" })),
    make("label", {}, t("rows"), " ", rows),
    ...(DATA.band ? [make("label", {}, t("band_scope", { level: num(100 * DATA.band.level, 3) }), " ", chooser(t("band_choice"),
      scopes.map(scope => option(scope, t(`scope_${scope}`), scope === shownScope)), scope => { shownScope = scope; rebuild(); }, { id: "scope" }))] : []),
    button(t("open_csv"), () => file.click()), file,
    button(t("save_csv"), () => download(`${(current.start.name ?? "schedule").replace(/[^\p{L}\p{N}._-]/gu, "_")}-${"ABCD"[variants.indexOf(current)]}.csv`, caseText(current)), { id: "save" }),
    button(t("link"), () => refusing(shareLink), { id: "link" }),
  );
}

async function shareLink() {
  const address = `${location.href.split("#")[0]}#${await linkText(variants)}`;
  try { history.replaceState(null, "", address); } catch { /* a frame without an address of its own */ }
  let copied = true;
  try { await navigator.clipboard.writeText(address); } catch { copied = false; }
  tell(t(copied ? "link_copied" : "link_made"));
  if (!copied) {
    const field = make("input", { type: "text", value: address, readOnly: true, id: "address", "aria-label": t("link") });
    $("notice").append(" ", field);
    field.select();
  }
}

function titled(column, ...rest) {
  const unit = column.unit && column.unit !== "-" ? ` [${shown(column.unit)}]` : "";
  return make("div", { className: "head" }, make("h3", {}, nameOf(column.name), make("span", { className: "soft" }, unit)), ...rest);
}

/** A control with its chart, or a parameter with its number. */
function controlCard(column, i) {
  if (column.parameter) {
    const input = make("input", { type: "number", step: "any", "aria-label": shown(column.name) });
    input.addEventListener("input", () => {
      const value = numberOf(input.value);
      if (Number.isNaN(value)) return;
      current.setColumn(i, [value]);
      warn();
      ask(current);
    });
    const range = make("span", { className: "soft small" }, t("range", { low: num(column.low), high: num(column.high) }));
    const card = make("div", { className: "card parameter" }, titled(column, input, range));
    const warn = () => card.classList.toggle("outside", current.beyondRange(i)[0] > 0);
    return { card, chart: null, update: () => { input.value = digits(current.columns[i][0]); warn(); } };
  }
  const box = make("div", { className: "plot" }), text = make("textarea", { rows: 5, spellcheck: false, "aria-label": t("numbers_of", { name: shown(column.name) }) });
  const kinds = chooser(t("kind"), KINDS.map(kind => option(kind, t(`kind_${kind}`))), kind => {
    current.turnInto(kind, i);
    changed(i);
    update();
  });
  const fill = () => { if (numbers.open) text.value = numbersText(current, i); };
  const apply = button(t("apply"), () => refusing(() => {
    applyNumbers(current, i, readNumbers(text.value));
    update();
    changed(i);
  }));
  const numbers = make("details", { className: "small" }, make("summary", {}, t("numbers")), make("p", { className: "soft" }, t("numbers_help")), text, apply);
  numbers.addEventListener("toggle", fill);
  const update = () => { kinds.value = current.signals[i].kind; fill(); };
  const card = make("div", { className: "card control" }, titled(column, kinds), box, numbers);
  return { card, box, chart: new ControlChart(box, i, changed), update };
}

function outcomeCard(j) {
  const box = make("div", { className: "plot" }), at = make("span", { className: "small value" });
  const card = make("div", { className: "card outcome" }, titled(PREDICTED[j], at), box), chart = new OutcomeChart(box, j);
  chart.told = row => {
    at.replaceChildren(...(row === null || row === undefined ? [] : variants.flatMap(variant => {
      const value = make("span", {}, num(variant.outcome(j)[row]));
      value.style.color = variantColor(variant);
      return [value, " "];
    })));
  };
  return { card, box, chart, column: j };
}

/** Show a predicted column beside the others. */
function show(j) {
  if (outcomeCards.some(card => card.column === j)) return;
  const made = outcomeCard(j);
  outcomeCards.push(made);
  $("more").before(made.card);
  made.chart.build();
}

/** Lines of text that change with the schedule. */
function describe() {
  const { result } = current, parts = [];
  if (result && !result.finished) parts.push(t("running", { done: result.done, rows: current.rows - IN_LEN }));
  if (result?.positions) {
    const outside = result.positions.filter(value => value >= BEYOND).length;
    if (outside) parts.push(t("outside", { rows: outside }));
  }
  const names = CONTROLS.filter((_, i) => current.beyondRange(i).some(Boolean)).map(column => shown(column.name));
  if (names.length) parts.push(t("beyond", { names: names.join(", ") }));
  $("status").textContent = parts.join(" ");
}

function openPage() {
  $("title").textContent = shown(document.title);
  const targets = PREDICTED.filter(column => column.target).length, unit = DATA.unit === null ? "" : t("of_unit", { unit: shown(DATA.unit) });
  $("about").textContent = t("about", { controls: CONTROLS.length, targets, predicted: PREDICTED.length, step: num(DATA.step) }) + unit;
  $("foot").textContent = t("foot");
  $("tools").after(make("p", { className: "small fair", id: "status", role: "status" }));
  CONTROLS.forEach((column, i) => controlCards.push(controlCard(column, i)));
  $("editor").append(make("p", { className: "soft small" }, t("editing")), ...controlCards.map(card => card.card));
  const others = PREDICTED.flatMap((column, j) => (column.target ? [] : [option(j, shown(column.name))]));
  const more = chooser(t("show_more"), [option("", t("show_more")), ...others], j => { if (j) show(Number(j)); more.value = ""; });
  $("results").append(make("div", { id: "more", hidden: !others.length }, more));
  PREDICTED.forEach((column, j) => { if (column.target) show(j); });
  onTheme(rebuild);
  rebuild();
  variants.forEach(ask);
}

/** Variants of the address, where it has some. */
function openLink() {
  if (location.hash.length < 2) return;
  refusing(async () => {
    variants = await variantsOf(location.hash.slice(1));
    variants.forEach(ask);
    choose(variants[0]);
  });
}

let engine = null;
if ($("check")) {
  const answer = make("pre", { id: "answer", hidden: true });
  try {
    answer.textContent = answerCheck(DATA, JSON.parse($("check").textContent));
  } catch (error) {
    answer.textContent = `error: ${error}`;
  }
  document.body.append(answer);
} else {
  engine = startEngine();
  openPage();
  openLink();
  addEventListener("hashchange", openLink);
}
