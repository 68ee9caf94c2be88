for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button")?.addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach(other => other.hasAttribute("aria-sort") && other.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const value = row => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
    const compare = (a, b) => a === "" || b === "" ? (a === "") - (b === "") || 0
      : (isNaN(a) || isNaN(b) ? a.localeCompare(b, undefined, {numeric: true}) : a - b) * (up ? 1 : -1);
    body.append(...[...body.rows].sort((a, b) => compare(value(a), value(b))));
  }));
}
function filterBy(items, count) {
  const search = document.querySelector("#search"), chosen = [...document.querySelectorAll("select.filter")];
  const apply = () => {
    const words = (search?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const item of document.querySelectorAll(items)) {
      const text = item.dataset.text.toLowerCase();
      const fits = words.every(word => text.includes(word)) && chosen.every(one => one.value === "" ||
        JSON.parse(item.dataset[one.dataset.key]).includes(one.value));
      item.hidden = !fits; shown += fits;
    }
    document.querySelector(count).textContent = shown;
  };
  search?.addEventListener("input", apply); chosen.forEach(one => one.addEventListener("change", apply));
  return apply;
}
