// What the page does: themes, filters, sorting, columns, the address, explanations, pictures as they come into sight, and
// the details of a cell. Text goes into the page as text (textContent), never as markup.

const root = document.documentElement;
const byId = (id) => document.getElementById(id);
const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];

/** The text of an element that holds it compressed. */
function unpacked(id) {
  const bytes = Uint8Array.from(atob(byId(id).textContent), (sign) => sign.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).text();
}

/** The rows of a table that is given by column. */
function rowsOf(table) {
  const columns = Object.entries(table);
  const length = columns.length ? columns[0][1].length : 0;
  return Array.from({ length }, (_, row) => Object.fromEntries(columns.map(([name, values]) => [name, values[row]])));
}

const data = JSON.parse(await unpacked("data"));
new Function(await unpacked("drawing"))(); // defines vegaEmbed

// Pictures. The menu above a picture saves it; nothing is sent anywhere.

const MANY = 6000; // rows, from which on a picture is drawn as pixels
const drawn = new Map();

function draw(element, definition) {
  drawn.get(element)?.finalize();
  const themed = { ...definition, config: data.themes[root.dataset.theme] };
  const many = Object.values(definition.datasets).some((rows) => rows.length > MANY);
  const actions = { export: true, source: false, compiled: false, editor: false };
  return vegaEmbed(element, themed, { mode: "vega-lite", renderer: many ? "canvas" : "svg", actions })
    .then((result) => {
      drawn.set(element, result);
      // The caption and the table say in words what a thousand marks would.
      element.querySelector("svg.marks, canvas").setAttribute("aria-hidden", "true");
    })
    .catch((error) => console.error(error));
}

function drawPicture(element) {
  const { datasets, ...picture } = data.pictures[element.dataset.picture];
  const rows = Object.entries(datasets).map(([name, table]) => [name, rowsOf(table)]);
  return draw(element, { ...picture, datasets: Object.fromEntries(rows) });
}

const inSight = new IntersectionObserver((entries) => {
  for (const entry of entries.filter((each) => each.isIntersecting)) {
    inSight.unobserve(entry.target);
    drawPicture(entry.target);
  }
}, { rootMargin: "400px" });

// Themes: what the system prefers, until a reader says otherwise.

const dark = matchMedia("(prefers-color-scheme: dark)");
let opened = null;

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
    if (element.isConnected && element.dataset.picture) drawPicture(element);
  }
  if (opened !== null) showPictures(data.cells[opened]);
}

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

// The answer is drawn at once, since what follows it moves down by its height.

const [atOnce, later] = [true, false].map((first) =>
  all(".picture").filter((each) => (each.offsetParent !== null && each.closest("#answer") !== null) === first),
);
const answered = Promise.all(atOnce.map(drawPicture));
later.forEach((element) => inSight.observe(element));

// The table: filters, columns, sorting.

const rows = all("#results tbody tr");
const heads = all("#results thead th");
const boxes = all("[data-column]");
const selects = all("select[data-axis]");
const cellOf = (row, name) => row.querySelector(`[data-name="${CSS.escape(name)}"]`);
const text = (row, name) => cellOf(row, name).textContent.trim();

function filter() {
  const search = byId("search").value.toLowerCase();
  const outcome = byId("outcome").value;
  const axes = selects.filter((select) => select.value);
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
  for (const box of boxes) {
    for (const cell of all(`#results [data-name="${CSS.escape(box.dataset.column)}"]`)) {
      cell.classList.toggle("chosen", box.checked);
      cell.classList.toggle("dropped", !box.checked);
    }
  }
}

function sortBy(head, ascending) {
  const name = head.dataset.name;
  heads.forEach((each) => each.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const keyed = rows.map((row) => [key(sortedBy(cellOf(row, name))), row]);
  const numbers = keyed.every(([value]) => typeof value === "number");
  keyed.sort(([a], [b]) => {
    if (!numbers) return (ascending ? 1 : -1) * String(a).localeCompare(String(b));
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b); // the unknown last
    return ascending ? a - b : b - a;
  });
  byId("results").tBodies[0].append(...keyed.map(([, row]) => row));
}

/** The text by which a cell is sorted; a profile by where it ends. */
function sortedBy(cell) {
  if (cell.dataset.name !== "profile") return cell.textContent.trim();
  return cell.querySelector("svg")?.getAttribute("aria-label").match(/[+-][\d.]+/)[0] ?? "-";
}

/** The number that a cell begins with, NaN for none known, or its text. */
function key(shown) {
  if (shown.startsWith("inf")) return Infinity;
  if (shown.startsWith("-") && !/^-[\d.]/.test(shown)) return NaN;
  const number = parseFloat(shown.replaceAll(",", ""));
  return Number.isNaN(number) ? shown : number;
}

// The address: what differs from the page as it opens, after the #, so that a link shows what its sender sees.

function write() {
  const state = new URLSearchParams();
  const sorted = heads.find((head) => head.hasAttribute("aria-sort"));
  const differ = boxes.filter((box) => box.checked !== box.hasAttribute("data-first"));
  if (byId("search").value) state.set("search", byId("search").value);
  if (byId("outcome").value) state.set("outcome", byId("outcome").value);
  selects.filter((select) => select.value).forEach((select) => state.append("axis", `${select.dataset.axis}:${select.value}`));
  if (differ.length) state.set("columns", boxes.filter((box) => box.checked).map((box) => box.dataset.column).join(","));
  if (sorted) state.set("sort", (sorted.getAttribute("aria-sort") === "descending" ? "-" : "") + sorted.dataset.name);
  if (opened !== null) state.set("open", data.cells[opened].title);
  history.replaceState(null, "", `#${state.toString() || "table"}`);
}

function read() {
  if (!location.hash.includes("=")) return;
  const state = new URLSearchParams(location.hash.slice(1));
  byId("search").value = state.get("search") ?? "";
  byId("outcome").value = state.get("outcome") ?? "";
  for (const select of selects) {
    const start = `${select.dataset.axis}:`;
    select.value = state.getAll("axis").find((each) => each.startsWith(start))?.slice(start.length) ?? "";
  }
  const columns = state.get("columns")?.split(",");
  boxes.forEach((box) => (box.checked = columns ? columns.includes(box.dataset.column) : box.hasAttribute("data-first")));
  filter();
  chooseColumns();
  const sort = state.get("sort") ?? "";
  const head = heads.find((each) => each.dataset.name === sort.replace(/^-/, ""));
  if (head) sortBy(head, !sort.startsWith("-"));
  const index = data.cells.findIndex((cell) => cell.title === state.get("open"));
  if (index >= 0) open(index);
  else close();
  byId("table").scrollIntoView();
}

byId("filters").addEventListener("input", () => {
  filter();
  chooseColumns();
  write();
});
byId("filters").addEventListener("submit", (event) => event.preventDefault());
heads.forEach((head) =>
  head.querySelector("button").addEventListener("click", () => {
    sortBy(head, head.getAttribute("aria-sort") !== "ascending");
    write();
  }),
);
addEventListener("hashchange", read);

// Sections are reached without losing the state that the address keeps.
all('a[href^="#"]').forEach((link) =>
  link.addEventListener("click", (event) => {
    if (!location.hash.includes("=")) return;
    event.preventDefault();
    byId(link.hash.slice(1)).scrollIntoView();
  }),
);

// Explanations: of a heading what its column means, of an outcome the evidence.

function explain(event) {
  const target = event.target.closest?.("[data-tip], thead [aria-describedby]");
  const tip = byId("tip");
  tip.hidden = !target;
  if (!target) return;
  tip.textContent = target.dataset.tip ?? byId(target.getAttribute("aria-describedby")).textContent;
  const place = target.getBoundingClientRect();
  tip.style.left = `${Math.max(8, Math.min(place.left, innerWidth - tip.offsetWidth - 8))}px`;
  const below = place.bottom + 6;
  tip.style.top = `${below + tip.offsetHeight < innerHeight ? below : place.top - tip.offsetHeight - 6}px`;
}

["mouseover", "focusin"].forEach((kind) => document.addEventListener(kind, explain));
["mouseout", "focusout", "scroll"].forEach((kind) => document.addEventListener(kind, () => (byId("tip").hidden = true), true));

// The details of a cell.

function showPictures(cell) {
  const place = byId("details-pictures");
  all(".drawing", place).forEach((element) => {
    drawn.get(element)?.finalize();
    drawn.delete(element);
  });
  place.replaceChildren();
  for (const [name, table] of Object.entries(cell.pictures)) {
    const { title, ...view } = data.views[name];
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    caption.textContent = title;
    const picture = document.createElement("div");
    picture.className = "drawing";
    figure.append(caption, picture);
    place.append(figure);
    draw(picture, { ...view, datasets: { ...view.datasets, cell: rowsOf(table) } });
  }
}

function element(name, content, kind) {
  const made = document.createElement(name);
  made.textContent = content;
  if (kind) made.className = kind;
  return made;
}

const terms = (pairs) => pairs.flatMap(([name, value]) => [element("dt", name), element("dd", value)]);

function open(index) {
  const cell = data.cells[index];
  opened = index;
  byId("details").dataset.outcome = cell.outcome;
  byId("details-title").textContent = cell.title;
  const [word, why] = [element("span", cell.outcome, "status"), cell.why.slice(cell.why.indexOf(":"))];
  byId("why").replaceChildren(word, cell.why.startsWith(cell.outcome) ? why : `: ${cell.why}`);
  byId("evidence").replaceChildren(...cell.evidence.map((line) => element("li", line.trim())));
  byId("facts").replaceChildren(...terms([...cell.facts, ...cell.origins.map((origin) => ["by", data.origins[origin]])]));
  byId("cell-command").textContent = cell.command;
  byId("toml").textContent = cell.toml;
  byId("python").textContent = cell.python;
  byId("sources").replaceChildren(...terms(cell.sources.map(([slot, name, source]) => [`${slot}: ${name}`, source])));
  byId("details").hidden = false;
  document.body.classList.add("with-details");
  for (const row of rows) {
    row.classList.toggle("opened", Number(row.dataset.cell) === index);
    row.querySelector(".open").setAttribute("aria-expanded", String(Number(row.dataset.cell) === index));
  }
  byId("details").scrollTop = 0;
  byId("details-title").focus({ preventScroll: true });
  showPictures(cell);
}

function close() {
  if (opened === null) return;
  const row = rows.find((each) => Number(each.dataset.cell) === opened);
  opened = null;
  byId("details").hidden = true;
  document.body.classList.remove("with-details");
  row.classList.remove("opened");
  row.querySelector(".open").setAttribute("aria-expanded", "false");
  row.querySelector(".open").focus({ preventScroll: true });
  showPictures({ pictures: {} });
}

byId("results").addEventListener("click", (event) => {
  const button = event.target.closest(".open");
  if (!button) return;
  open(Number(button.closest("tr").dataset.cell));
  write();
});
byId("close").addEventListener("click", () => {
  close();
  write();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  byId("tip").hidden = true;
  close();
  write();
});

// Copying: by the clipboard where a page from disk may use it, otherwise the text is selected.

all("[data-copy]").forEach((button) =>
  button.addEventListener("click", async () => {
    const source = byId(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 1500);
  }),
);

filter();
chooseColumns();
answered.then(() => (location.hash.includes("=") ? read() : location.hash && byId(location.hash.slice(1))?.scrollIntoView()));
addEventListener("beforeprint", () => all(".picture").filter((each) => !drawn.has(each)).forEach(drawPicture));
