// Sorts and filters tables of the class "sortable". Without JavaScript they are plain tables.
"use strict";

function numberOf(text) {
  const found = text.replace("c\u00a0=\u00a0", "").trim();
  return found !== "" && !Number.isNaN(Number(found)) ? Number(found) : null;
}

function compare(first, second) {
  if (first === "" || second === "") return first === second ? 0 : first === "" ? 1 : -1;
  const [one, other] = [numberOf(first), numberOf(second)];
  if (one !== null && other !== null) return one - other;
  if (one !== null || other !== null) return one !== null ? -1 : 1;
  return first.localeCompare(second, undefined, { numeric: true });
}

function sortBy(table, heading) {
  const column = heading.cellIndex;
  const descending = heading.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => [row.cells[column].textContent.trim(), row]);
  rows.sort(([first], [second]) => {
    const order = compare(first, second);
    return descending && first !== "" && second !== "" ? -order : order;
  });
  body.append(...rows.map(([, row]) => row));
}

function addFilter(table) {
  const input = document.createElement("input");
  input.type = "search";
  input.placeholder = "Show rows with ...";
  input.setAttribute("aria-label", `Filter the table of ${table.dataset.name}`);
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().replaceAll("\u00a0", " ").split(/\s+/).filter(Boolean);
    for (const row of table.tBodies[0].rows) {
      const text = row.textContent.toLowerCase().replaceAll("\u00a0", " ");
      row.hidden = !words.every((word) => text.includes(word));
    }
  });
  table.parentElement.before(input);
}

document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll("table.sortable")) {
    addFilter(table);
    for (const heading of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => sortBy(table, heading));
    }
  }
});
