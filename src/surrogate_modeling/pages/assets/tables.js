"use strict";
/* Tables, histograms and commands of the reports, and links within a page. */
/** A small histogram: counts, and counts of a second kind as a line. */
function histogram(counts, others) {
  const space = "http://www.w3.org/2000/svg", width = 130, height = 30;
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("width", width); svg.setAttribute("height", height); svg.setAttribute("class", "histogram");
  const step = width / counts.length, most = Math.max(1, ...counts), mostOthers = Math.max(1, ...(others || []));
  counts.forEach((count, k) => {
    const bar = document.createElementNS(space, "rect");
    const size = Math.sqrt(count / most) * (height - 2);
    for (const [key, value] of Object.entries({ x: k * step, y: height - size, width: step - 0.6, height: size })) bar.setAttribute(key, value);
    svg.append(bar);
  });
  if (others) {
    const line = document.createElementNS(space, "polyline");
    line.setAttribute("points", others.map((count, k) => `${(k + 0.5) * step},${height - 1 - Math.sqrt(count / mostOthers) * (height - 3)}`).join(" "));
    svg.append(line);
  }
  return svg;
}

/** A table: head [{text, number, name}], rows of cells (texts, numbers as texts, or nodes); a click on a head sorts. */
function table(head, rows, options = {}) {
  const body = make("tbody");
  const fill = list => body.replaceChildren(...list.map(row => {
    const line = make("tr", { className: row.className || "" }, ...row.cells.map((cell, j) => {
      const data = make("td", { className: head[j].number ? "number" : "" });
      data.append(cell instanceof Node ? cell : shown(cell ?? "–"));
      return data;
    }));
    if (row.onClick) { line.addEventListener("click", row.onClick); line.classList.add("clickable"); }
    return line;
  }));
  let sorted = -1, up = true;
  const cells = head.map((column, j) => {
    const cell = make("th", { className: column.number ? "number" : "", scope: "col" }, shown(column.text));
    if (rows.length > 2 && !options.fixed) {
      cell.classList.add("sortable");
      cell.addEventListener("click", () => {
        up = sorted === j ? !up : true;
        sorted = j;
        const key = row => row.keys ? row.keys[j] : row.cells[j] instanceof Node ? row.cells[j].textContent : row.cells[j];
        fill([...rows].sort((a, b) => {
          const x = key(a), y = key(b);
          const order = typeof x === "number" || typeof y === "number" ? (x ?? Infinity) - (y ?? Infinity) : String(x).localeCompare(String(y), undefined, { numeric: true });
          return up ? order : -order;
        }));
      });
    }
    return cell;
  });
  fill(rows);
  return make("div", { className: `scroll ${options.className || ""}` }, make("table", {}, make("thead", {}, make("tr", {}, ...cells)), body));
}

/** A command with a button that copies it. */
function commandBox(text) {
  const box = make("div", { className: "command" }, make("pre", {}, shownLines(text)));
  const button = make("button", { className: "no-print" }, t("copy"));
  button.addEventListener("click", async () => {
    try { await navigator.clipboard.writeText(text); } catch {
      const range = document.createRange();
      range.selectNodeContents(box.firstChild);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
    }
    button.textContent = t("copied");
    setTimeout(() => { button.textContent = t("copy"); }, 1500);
  });
  box.append(button);
  return box;
}

function shownLines(text) { return text.split("\n").map(shown).join("\n"); }

/** Headings within the page are scrolled to, not navigated to: a sandboxed frame has no address of its own. */
for (const link of document.querySelectorAll('a[href^="#"]')) {
  link.addEventListener("click", event => {
    event.preventDefault();
    document.getElementById(link.getAttribute("href").slice(1)).scrollIntoView();
  });
}
