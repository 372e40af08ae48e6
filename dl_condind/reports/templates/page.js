
"use strict";
// The page is whole without this: it sorts and filters tables, names points, and unfolds.

// Sorts the rows of a table by a column: numbers as numbers, cells without one last.
function sortBy(table, column, isAscending) {
  const body = table.tBodies[0];
  const keyOf = row => {
    const cell = row.cells[column];
    const number = parseFloat(cell.dataset.value);
    return Number.isNaN(number) ? cell.textContent.trim() : number;
  };
  const isNumber = key => typeof key === "number";
  const rows = [...body.rows].map(row => [keyOf(row), row]);
  const hasNumbers = rows.some(([key]) => isNumber(key));
  rows.sort(([a], [b]) => {
    if (hasNumbers && isNumber(a) !== isNumber(b)) return isNumber(a) ? -1 : 1;
    const order = isNumber(a) ? a - b : String(a).localeCompare(String(b));
    return isAscending ? order : -order;
  });
  body.append(...rows.map(([, row]) => row));
}

for (const table of document.querySelectorAll("table.sorted")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const isAscending = heading.getAttribute("aria-sort") !== "ascending";
      headings.forEach(other => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", isAscending ? "ascending" : "descending");
      sortBy(table, column, isAscending);
    });
  });
}

// Leaves the rows that have every word of the filter; a number must be a whole cell, or what a cell
// begins with beside links. "c = 0.9" is the number alone.
for (const table of document.querySelectorAll("table.filtered")) {
  const label = document.createElement("label");
  label.className = "filter";
  const input = document.createElement("input");
  input.type = "search";
  input.placeholder = "words in a row";
  const count = document.createElement("span");
  count.setAttribute("aria-live", "polite");
  label.append("Filter ", input, " ", count);
  table.parentElement.before(label);
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().replace(/\bc\s*=/g, " ").split(/\s+/).filter(Boolean);
    const rows = [...table.tBodies[0].rows];
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      const cells = [...row.cells].flatMap(cell => [cell.textContent.trim(), cell.firstChild?.textContent.trim()]);
      row.hidden = !words.every(word => Number.isNaN(Number(word)) ? text.includes(word) : cells.includes(word));
    }
    count.textContent = words.length ? `${rows.filter(row => !row.hidden).length} of ${rows.length}` : "";
  });
}

// Names the point under the pointer, or the one with the focus. Tab goes from panel to panel, the
// arrow keys from point to point.
const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
document.body.append(tip);
function showTip(point) {
  const title = point.querySelector("title");
  if (title) {
    point.setAttribute("aria-label", title.textContent);
    title.remove(); // The browser would show it as well.
  }
  const box = point.getBoundingClientRect();
  tip.textContent = point.getAttribute("aria-label");
  tip.hidden = false;
  const left = Math.min(box.right + 6, document.documentElement.clientWidth - tip.offsetWidth - 4);
  tip.style.left = `${Math.max(4, left) + window.scrollX}px`;
  tip.style.top = `${box.top + window.scrollY - tip.offsetHeight - 6}px`;
}
for (const drawing of document.querySelectorAll(".panel svg")) {
  const points = [...drawing.querySelectorAll(".point")];
  points.forEach((point, index) => {
    point.setAttribute("tabindex", index ? "-1" : "0");
    for (const event of ["pointerenter", "focus"]) point.addEventListener(event, () => showTip(point));
    for (const event of ["pointerleave", "blur"]) point.addEventListener(event, () => { tip.hidden = true; });
    point.addEventListener("keydown", event => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      const next = step && points[index + step];
      if (!next) return;
      event.preventDefault();
      next.focus();
    });
  });
}

// Unfolds what a link leads to, and everything for the printer.
function unfold() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  target.hidden = false;
  for (let part = target; part; part = part.parentElement) {
    if (part.tagName === "DETAILS") part.open = true;
  }
  target.scrollIntoView({ block: "nearest" });
}
window.addEventListener("hashchange", unfold);
unfold();
let opened = [];
window.addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  for (const part of opened) part.open = true;
});
window.addEventListener("afterprint", () => {
  for (const part of opened) part.open = false;
});
