"use strict";
// Garnish: without this script the page has the same tables and charts.
(() => {
  const results = JSON.parse(document.getElementById("results").textContent);
  const written = (value) => Number(value.toPrecision(3)).toString();

  // --- sorting ---
  function value(row, column) {
    const cell = row.cells[column];
    if (cell.dataset.v !== undefined) return Number(cell.dataset.v);
    const text = cell.textContent.trim();
    return text === "" || text.startsWith("\u2013") ? null : text;
  }
  function numeric(text) {
    return typeof text === "number" || (text !== null && /^[-+]?[0-9.]+(e[-+]?[0-9]+)?$/.test(text));
  }
  function compare(a, b, numbers) {
    return numbers ? Number(a) - Number(b) : String(a).localeCompare(String(b), "en", { numeric: true });
  }
  function sort(table, column, header) {
    const direction = header.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
    const sign = direction === "ascending" ? 1 : -1;
    const body = table.tBodies[0];
    const rows = Array.from(body.rows, (row) => [value(row, column), row]);
    const numbers = rows.every(([key]) => key === null || numeric(key));
    rows.sort(([a], [b]) => (a === null || b === null ? (a === null) - (b === null) : sign * compare(a, b, numbers)));
    body.append(...rows.map(([, row]) => row));
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", direction);
  }
  for (const table of document.querySelectorAll("table.sortable")) {
    Array.from(table.tHead.rows[0].cells).forEach((header, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener("click", () => sort(table, column, header));
    });
  }

  // --- choosing ---
  const chooser = document.getElementById("chooser");
  if (chooser !== null) {
    const least = document.getElementById("least-dice");
    const most = document.getElementById("most-kj");
    const rows = Array.from(document.querySelectorAll("#chosen tbody tr"), (row) => {
      const group = results.groups[Number(row.dataset.group)];
      const [dice, kj] = ["dice", "total_kj"].map((name) => Object.keys(group.metrics).indexOf(name));
      const options = group.options.map(([place, diceText, kjText]) => {
        const { case: name, means } = group.cases[place];
        return { dice: means[dice], kj: means[kj], texts: [name, diceText, kjText] };
      });
      return { row, options };
    });
    const all = rows.flatMap(({ options }) => options.map((option) => option.kj)).filter((kj) => kj > 0);
    const [low, high] = [Math.min(...all) / 1.05, Math.max(...all) * 1.05];
    const limit = () => low * (high / low) ** (Number(most.value) / 1000); // a slider of equal ratios
    function fill(cells, chosen, none) {
      const texts = chosen === null ? [none, "\u2013", "\u2013"] : chosen.texts;
      cells.forEach((cell, index) => { cell.textContent = texts[index]; });
    }
    function update() {
      const leastDice = Number(least.value);
      const mostKj = limit();
      document.getElementById("least-dice-is").textContent = leastDice.toFixed(3);
      document.getElementById("most-kj-is").textContent = `${written(mostKj)} kJ`;
      most.setAttribute("aria-valuetext", `${written(mostKj)} kJ`);
      for (const { row, options } of rows) {
        const cells = Array.from(row.cells);
        fill(cells.slice(2, 5), choosing.cheapest(options, leastDice), "no case reaches it");
        fill(cells.slice(5, 8), choosing.best(options, mostKj), "no case is that cheap");
      }
    }
    least.addEventListener("input", update);
    most.addEventListener("input", update);
    chooser.hidden = false;
    update();
  }
})();
