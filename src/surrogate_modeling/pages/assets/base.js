"use strict";
/* Shared by all pages: texts, elements, numbers, colours, light and dark, packed arrays. */
const TEXTS = JSON.parse(document.getElementById("texts").textContent);

/** A text of the page's language, with its {name} replaced. */
function t(key, values = {}) {
  return TEXTS[key].replace(/\{(\w+)\}/g, (whole, name) => name in values ? values[name] : whole);
}

/** A name as text: marks of writing direction and control characters are shown as on the terminal. */
function shown(name) {
  return String(name).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, letter => {
    const code = letter.codePointAt(0);
    return code < 256 ? "\\x" + code.toString(16).padStart(2, "0") : "\\u" + code.toString(16).padStart(4, "0");
  });
}

/** An element; attributes as properties or names, children as nodes or texts. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null) continue;
    if (key in element && typeof value !== "string") element[key] = value;
    else if (key === "className" || key === "textContent" || key === "value") element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.filter(child => child !== null && child !== undefined));
  return element;
}

/** A column with its unit, which may be missing. */
function titled(name, unit) { return unit ? `${shown(name)} [${shown(unit)}]` : shown(name); }

/** An element that shows a name of the data. */
function nameOf(name, tag = "span") { return make(tag, { className: "name" }, shown(name)); }

/** A number with so many significant digits; "–" where there is none. */
function num(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size >= 1e6 || size < 1e-4 ? value.toExponential(digits - 1)
    : size >= 10 ** digits ? String(Math.round(value)) : value.toPrecision(digits);
  return /[.]/.test(text) && !/e/.test(text) ? text.replace(/\.?0+$/, "") : text;
}

/** Value of a colour variable of the style in the present theme. */
function color(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

const themeListeners = [];
/** Call back after each change between light and dark, to draw canvases again. */
function onTheme(listener) { themeListeners.push(listener); }

function useTheme(theme) {
  document.documentElement.dataset.theme = theme;
  for (const listener of themeListeners) listener();
}

/** A stored preference; null in a sandboxed frame, where there is no storage. */
function stored(key, value) {
  try {
    if (value !== undefined) localStorage.setItem(key, value);
    return localStorage.getItem(key);
  } catch { return null; }
}

(function theme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  useTheme(stored("theme") || (dark.matches ? "dark" : "light"));
  dark.addEventListener("change", () => { if (!stored("theme")) useTheme(dark.matches ? "dark" : "light"); });
  const button = make("button", { className: "theme no-print", title: t("theme"), "aria-label": t("theme") }, "◐");
  button.addEventListener("click", () => {
    const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    stored("theme", next);
    useTheme(next);
  });
  document.body.prepend(button);
})();

/** Bytes of a base64 text. */
function bytesOf(text) {
  const letters = atob(text.trim()), bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  return bytes;
}

/** Bytes that zlib deflated. */
async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Curves of embedding.py's pack16: an array of Float64Array; NaN where a value is missing. */
async function unpack16(text, low, high) {
  const bytes = await inflate(bytesOf(text)), size = bytes.length / 2, points = size / low.length;
  return low.map((from, curve) => {
    const values = new Float64Array(points), span = high[curve] > from ? high[curve] - from : 1;
    let code = 0;
    for (let k = 0, i = curve * points; k < points; k++, i++) {
      code = (code + bytes[i] + 256 * bytes[size + i]) & 0xffff;
      values[k] = code === 0xffff ? NaN : from + code / 0xfffe * span;
    }
    return values;
  });
}

/** Offer a text as a file. */
function download(name, text, type = "text/csv") {
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
