"use strict";
// The leaderboard: sortable, its first rows shown.
const board = (() => {
  const FIRST_ROWS = 25;
  const REVERSED = { ascending: "descending", descending: "ascending", other: "other" };
  let all = false;
  // The heading that somebody has chosen, and whether the best stand first.
  let sorted = null;

  function fold() {
    const rows = document.querySelectorAll(".board tbody tr");
    rows.forEach((row, i) => { row.hidden = !all && i >= FIRST_ROWS; });
    const more = document.querySelector(".more");
    more.hidden = all || rows.length <= FIRST_ROWS;
    document.querySelector(".folded").hidden = more.hidden;
  }

  function sort() {
    const headers = [...document.querySelectorAll(".board th")];
    const index = headers.findIndex((header) => header.textContent === sorted.title);
    const header = headers[index];
    if (!header) return;
    for (const other of headers) other.removeAttribute("aria-sort");
    const first = header.dataset.first;
    header.setAttribute("aria-sort", sorted.up ? first : REVERSED[first]);
    const text = header.classList.contains("text");
    const key = (row) => {
      const cell = row.cells[index];
      if (text) return cell.textContent.trim();
      return cell.dataset.key === "" ? null : Number(cell.dataset.key);
    };
    const body = document.querySelector(".board tbody");
    const rows = [...body.rows].map((row) => [key(row), row]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      const order = text ? a.localeCompare(b) : a - b;
      return sorted.up ? order : -order;
    });
    body.append(...rows.map(([, row]) => row));
  }

  function refresh() {
    if (sorted) sort();
    fold();
  }

  // Listeners outlive the table.
  document.addEventListener("click", ({ target }) => {
    if (target.closest(".more")) all = true;
    const header = target.closest(".board th");
    if (header) {
      // The best first, as the command line sorts; chosen again, the worst.
      const title = header.textContent;
      sorted = { title, up: !(sorted && sorted.title === title && sorted.up) };
    }
    if (header || target.closest(".more")) refresh();
  });
  refresh();
  return { refresh };
})();
