"use strict";
// What the page does: themes, filters, sorting, pictures as they come into sight, and the details of a cell.
// Text goes into the page as text (textContent), never as markup.

const data = JSON.parse(document.getElementById("data").textContent);
const root = document.documentElement;
const byId = (id) => document.getElementById(id);
const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];

// Pictures. The menu above a picture saves it; nothing is sent anywhere.

const options = { renderer: "canvas", actions: { export: true, source: false, compiled: false, editor: false } };
const drawn = new Map();

function draw(element, definition) {
  drawn.get(element)?.finalize();
  const themed = { ...definition, config: data.themes[root.dataset.theme] };
  return vegaEmbed(element, themed, { mode: "vega-lite", ...options })
    .then((result) => drawn.set(element, result))
    .catch((error) => console.error(error));
}

const inSight = new IntersectionObserver((entries) => {
  for (const entry of entries.filter((each) => each.isIntersecting)) {
    inSight.unobserve(entry.target);
    draw(entry.target, data.pictures[entry.target.dataset.picture]);
  }
}, { rootMargin: "400px" });
all(".picture").forEach((element) => inSight.observe(element));

// Themes: what the system prefers, until a reader says otherwise.

const dark = matchMedia("(prefers-color-scheme: dark)");

function remembered() {
  try {
    return localStorage.getItem("vgbench-theme");
  } catch {
    return null; // a browser may keep nothing for pages from disk
  }
}

function setTheme(theme) {
  root.dataset.theme = theme;
  byId("theme").textContent = theme === "dark" ? "Light" : "Dark";
  for (const element of [...drawn.keys()]) {
    if (element.isConnected && element.dataset.picture) draw(element, data.pictures[element.dataset.picture]);
  }
  if (opened !== null) showPictures(data.cells[opened]);
}

let opened = null;
setTheme(remembered() ?? (dark.matches ? "dark" : "light"));
dark.addEventListener("change", () => remembered() ?? setTheme(dark.matches ? "dark" : "light"));
byId("theme").addEventListener("click", () => {
  const theme = root.dataset.theme === "dark" ? "light" : "dark";
  try {
    localStorage.setItem("vgbench-theme", theme);
  } catch {
    // it then holds until the page is left
  }
  setTheme(theme);
});

// The table: filters, columns, sorting.

const rows = all("#results tbody tr");
const text = (row, name) => row.querySelector(`td[data-name="${CSS.escape(name)}"]`).textContent.trim();

function filter() {
  const search = byId("search").value.toLowerCase();
  const outcome = byId("outcome").value;
  const axes = all("select[data-axis]").filter((select) => select.value);
  for (const row of rows) {
    row.hidden = !(
      text(row, "mitigation").toLowerCase().includes(search) &&
      (!outcome || row.dataset.outcome === outcome) &&
      axes.every((select) => text(row, select.dataset.axis) === select.value)
    );
  }
  byId("count").textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
}

function chooseColumns() {
  const side = byId("side").value;
  for (const cell of all("#results [data-side]")) {
    cell.hidden = side !== "" && ["benefit", "cost"].includes(cell.dataset.side) && cell.dataset.side !== side;
  }
}

function sortBy(head) {
  const index = all("th", head.parentNode).indexOf(head);
  const ascending = head.getAttribute("aria-sort") !== "ascending";
  all("th", head.parentNode).forEach((each) => each.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const keyed = rows.map((row) => [key(row.cells[index].textContent.trim()), row]);
  const numbers = keyed.every(([value]) => typeof value === "number");
  keyed.sort(([a], [b]) => {
    if (!numbers) return (ascending ? 1 : -1) * String(a).localeCompare(String(b));
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b); // the unknown last
    return ascending ? a - b : b - a;
  });
  byId("results").tBodies[0].append(...keyed.map(([, row]) => row));
}

/** The number that a cell begins with, NaN for none known, or its text. */
function key(shown) {
  if (shown.startsWith("inf")) return Infinity;
  if (shown.startsWith("-") && !/^-[\d.]/.test(shown)) return NaN;
  const number = parseFloat(shown.replaceAll(",", ""));
  return Number.isNaN(number) ? shown : number;
}

byId("filters").addEventListener("input", filter);
byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("side").addEventListener("input", chooseColumns);
all("#results th").forEach((head) => head.querySelector("button").addEventListener("click", () => sortBy(head)));
filter();
chooseColumns();

// The details of a cell.

function showPictures(cell) {
  const place = byId("details-pictures");
  place.replaceChildren();
  for (const [name, values] of Object.entries(cell.pictures)) {
    const { title, ...view } = data.views[name];
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    caption.textContent = title;
    const scroll = document.createElement("div");
    scroll.className = "scroll";
    const picture = document.createElement("div");
    scroll.append(picture);
    figure.append(caption, scroll);
    place.append(figure);
    draw(picture, { ...view, datasets: { ...view.datasets, cell: values } });
  }
}

function open(index) {
  const cell = data.cells[index];
  opened = index;
  byId("details-title").textContent = cell.title;
  byId("facts").replaceChildren(
    ...cell.facts.flatMap(([name, value]) => {
      const [term, fact] = [document.createElement("dt"), document.createElement("dd")];
      term.textContent = name;
      fact.textContent = value;
      return [term, fact];
    }),
  );
  byId("case").textContent = cell.case;
  byId("details").showModal();
  byId("details").scrollTop = 0;
  showPictures(cell);
}

byId("results").addEventListener("click", (event) => {
  const button = event.target.closest(".open");
  if (button) open(Number(button.closest("tr").dataset.cell));
});
byId("close").addEventListener("click", () => byId("details").close());
byId("details").addEventListener("click", (event) => {
  if (event.target === byId("details")) byId("details").close(); // a click beside it
});
byId("details").addEventListener("close", () => {
  opened = null;
  for (const element of all("#details-pictures .scroll > div")) {
    drawn.get(element)?.finalize();
    drawn.delete(element);
  }
});
