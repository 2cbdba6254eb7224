"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";
const tip = document.getElementById("tip");

/** An element with attributes and children; text is always text. */
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function draw(name, attributes = {}, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

function section(title, note, ...children) {
  const id = "section-" + title.toLowerCase().replaceAll(/[^a-z]+/g, "-");
  const parts = [make("h2", { id }, title)];
  if (note) parts.push(make("p", { class: "note" }, note));
  document.getElementById("main").append(make("section", { "aria-labelledby": id }, ...parts, ...children));
}

const show = (value, digits = 4) => (value === null ? "not a number" : String(Number(value.toFixed(digits))));

/** Shows a text beside the pointer, or beside the element that the keyboard is on. */
function explain(element, text) {
  const at = (x, y) => {
    tip.textContent = text;
    tip.hidden = false;
    tip.style.left = Math.max(4, Math.min(x + 12, innerWidth - tip.offsetWidth - 4)) + "px";
    tip.style.top = Math.max(4, Math.min(y + 14, innerHeight - tip.offsetHeight - 4)) + "px";
  };
  element.addEventListener("pointermove", (event) => at(event.clientX, event.clientY));
  element.addEventListener("pointerleave", () => (tip.hidden = true));
  element.addEventListener("focus", () => {
    const box = element.getBoundingClientRect();
    at(box.right, box.bottom);
  });
  element.addEventListener("blur", () => (tip.hidden = true));
}

/** From orange (below 0) to blue (above), stronger the farther, in the theme's own tones. */
function tint(share) {
  const strength = Math.min(1, Math.abs(share));
  return `rgba(var(--${share < 0 ? "low" : "high"}), ${(0.85 * strength).toFixed(3)})`;
}

function theme() {
  const button = document.getElementById("theme");
  const set = (dark) => {
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    button.setAttribute("aria-pressed", String(dark));
  };
  // A page from a file may have nowhere to remember.
  const stored = (action) => { try { return action(localStorage); } catch { return null; } };
  const kept = stored((store) => store.getItem("lexigrad-theme"));
  set(kept ? kept === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  button.addEventListener("click", () => {
    const dark = document.documentElement.dataset.theme !== "dark";
    set(dark);
    stored((store) => store.setItem("lexigrad-theme", dark ? "dark" : "light"));
  });
}

function summary() {
  if (!data.metrics.length && !data.settings.length) return;
  const tiles = data.metrics.map(([name, value]) => make("div", { class: "tile" }, make("b", {}, show(value)), name));
  const settings = data.settings.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)));
  section("Run", "", make("div", { class: "tiles" }, ...tiles), make("dl", {}, ...settings));
}

function chart({ title, series }) {
  const [width, height, left, bottom, top] = [420, 240, 48, 28, 12];
  const values = series.flatMap((line) => line.values).filter((value) => value !== null);
  const epochs = Math.max(1, ...series.map((line) => line.values.length));
  let [low, high] = [Math.min(...values), Math.max(...values)];
  if (!values.length) [low, high] = [0, 1];
  if (low === high) [low, high] = [low - 0.5, high + 0.5];
  const x = (epoch) => left + ((width - left - 12) * epoch) / Math.max(1, epochs - 1);
  const y = (value) => top + ((height - top - bottom) * (high - value)) / (high - low);
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title} by epoch` });
  for (let step = 0; step <= 4; step++) {
    const value = low + ((high - low) * step) / 4;
    svg.append(draw("line", { class: "axis", x1: left, x2: width - 12, y1: y(value), y2: y(value) }));
    svg.append(draw("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, value.toPrecision(3)));
  }
  const every = Math.ceil(epochs / 8);
  for (let epoch = 0; epoch < epochs; epoch += every) {
    svg.append(draw("text", { x: x(epoch), y: height - 8, "text-anchor": "middle" }, epoch + 1));
  }
  series.forEach((line, index) => {
    const colour = `var(--s${index % 5})`;
    let path = "";
    line.values.forEach((value, epoch) => {
      if (value === null) return;
      const joined = epoch > 0 && line.values[epoch - 1] !== null;
      path += `${joined ? "L" : "M"}${x(epoch)} ${y(value)}`;
      const dot = draw("circle", { cx: x(epoch), cy: y(value), r: 4, style: `fill: ${colour}`, tabindex: 0 });
      explain(dot, `${line.name}, epoch ${epoch + 1}: ${show(value)}`);
      svg.append(dot);
    });
    svg.prepend(draw("path", { class: "curve", d: path, style: `stroke: ${colour}` }));
  });
  const legend = series.map((line, index) =>
    make("span", {}, make("i", { style: `background: var(--s${index % 5})` }), line.name));
  return make("div", {}, make("h3", { style: "margin: 0; font-size: 1rem" }, title), svg,
    make("div", { class: "legend" }, ...legend));
}

function confusion() {
  const { labels, rows } = data.confusion;
  const head = make("tr", {}, make("th", { scope: "col" }, "true \\ predicted"),
    ...labels.map((label) => make("th", { scope: "col" }, label)), make("th", { scope: "col" }, "recall"));
  const body = rows.map((row, truth) => {
    const whole = row.reduce((sum, count) => sum + count, 0);
    const cells = row.map((count, predicted) => {
      const share = whole ? count / whole : 0;
      const cell = make("td", { tabindex: 0, style: `background: ${tint(predicted === truth ? share * 0.6 : -share * 0.6)}` }, String(count));
      explain(cell, `${count} of ${whole} ${labels[truth]} taken for ${labels[predicted]} (${(100 * share).toFixed(1)} %)`);
      return cell;
    });
    const recall = whole ? (100 * row[truth] / whole).toFixed(1) + " %" : "–";
    return make("tr", {}, make("th", { scope: "row" }, labels[truth]), ...cells, make("td", {}, recall));
  });
  section("Confusion", "A row for each true label, a column for each predicted one.",
    make("div", { class: "scroll" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...body))));
}

function space() {
  const { words, counts, values, value_name, pictures } = data.space;
  const largest = Math.max(...values.map((value) => Math.abs(value ?? 0)), 1e-12);
  const svg = draw("svg", { id: "plot", role: "img", "aria-label": `${words.length} words in two dimensions` });
  const said = make("span", { role: "status" });
  let [box, dots] = [{ x: 0, y: 0, size: 1 }, []];
  const look = () => {
    svg.setAttribute("viewBox", `${box.x} ${box.y} ${box.size} ${box.size * 0.62}`);
    for (const dot of dots) dot.setAttribute("r", box.size * (dot.classList.contains("found") ? 0.012 : 0.006));
  };
  const put = (picture) => {
    const points = pictures[picture][1].map((point) => point.map((value) => value ?? 0));
    const range = (axis) => [Math.min(...points.map((p) => p[axis])), Math.max(...points.map((p) => p[axis]))];
    const [[left, right], [low, high]] = [range(0), range(1)];
    // A picture is 100 wide and 62 high.
    const place = (value, from, to, size) => 3 + ((size - 6) * (value - from)) / (to - from || 1);
    dots = points.map(([px, py], index) => {
      const dot = draw("circle", { cx: place(px, left, right, 100), cy: 62 - place(py, low, high, 62), tabindex: -1, style: `fill: ${tint(0.25 * Math.sign(values[index] ?? 1) + 0.75 * (values[index] ?? 0) / largest)}` });
      explain(dot, `${words[index]}: seen ${counts[index] ?? 0} times, ${value_name} ${show(values[index] ?? null, 3)}`);
      return dot;
    });
    svg.replaceChildren(...dots);
    box = { x: 0, y: 0, size: 100 };
    find(search.value);
  };
  const find = (text) => {
    const wanted = text.trim().toLowerCase();
    let found = 0;
    dots.forEach((dot, index) => {
      const is = wanted !== "" && words[index].toLowerCase().startsWith(wanted);
      dot.classList.toggle("found", is);
      found += is;
    });
    dots.filter((dot) => dot.classList.contains("found")).forEach((dot) => svg.append(dot));
    said.textContent = wanted === "" ? "" : `${found} found`;
    look();
  };
  const search = make("input", { type: "search", placeholder: "Find a word", "aria-label": "Find a word" });
  search.addEventListener("input", () => find(search.value));
  const tabs = pictures.map(([name], index) => {
    const tab = make("button", { type: "button", role: "tab", "aria-selected": String(index === 0) }, name);
    tab.addEventListener("click", () => {
      tabs.forEach((other) => other.setAttribute("aria-selected", String(other === tab)));
      put(index);
    });
    return tab;
  });
  const zoom = (factor, cx = 0.5, cy = 0.5) => {
    const size = Math.min(200, Math.max(2, box.size * factor));
    box = { x: box.x + (box.size - size) * cx, y: box.y + (box.size - size) * 0.62 * cy, size };
    look();
  };
  svg.addEventListener("wheel", (event) => {
    event.preventDefault();
    const at = svg.getBoundingClientRect();
    zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, (event.clientX - at.left) / at.width, (event.clientY - at.top) / at.height);
  }, { passive: false });
  svg.addEventListener("pointermove", (event) => {
    if (!(event.buttons & 1)) return;
    const scale = box.size / svg.getBoundingClientRect().width;
    box.x -= event.movementX * scale;
    box.y -= event.movementY * scale;
    look();
  });
  const press = (name, label, factor) => {
    const button = make("button", { type: "button", "aria-label": label }, name);
    button.addEventListener("click", () => zoom(factor));
    return button;
  };
  section("Words in two dimensions", `Near words stand for near vectors. Colour: ${value_name}, blue above 0, orange below. Drag to move, scroll to come nearer.`,
    make("div", { class: "row" }, make("div", { class: "row", role: "tablist", style: "margin: 0" }, ...tabs), search, press("+", "Come nearer", 1 / 1.4), press("−", "Go farther", 1.4), said), svg);
  put(0);
}

function neighbours() {
  const cell = (near) => {
    const part = make("td", {});
    near.forEach(([word, similarity], index) => {
      const name = make("span", { tabindex: 0 }, word);
      explain(name, `similarity ${show(similarity, 3)}`);
      part.append(index ? ", " : "", name);
    });
    return part;
  };
  const rows = data.neighbours.map(({ word, before, after }) =>
    make("tr", {}, make("th", { scope: "row" }, word), cell(before), cell(after)));
  const head = make("tr", {}, ...["word", "before training", "after training"].map((name) => make("th", { scope: "col" }, name)));
  section("Nearest words", "", make("div", { class: "scroll" },
    make("table", { class: "words" }, make("thead", {}, head), make("tbody", {}, ...rows))));
}

function explained() {
  const parts = data.explained.map(({ tokens, contributions, label, predicted, probability }) => {
    const largest = Math.max(...contributions.map((value) => Math.abs(value ?? 0)), 1e-12);
    const sentence = make("div", { class: "sentence" });
    tokens.forEach((token, index) => {
      const value = contributions[index] ?? null;
      const part = make("span", { class: "token", tabindex: 0, style: `background: ${tint(0.75 * (value ?? 0) / largest)}` }, token);
      explain(part, `${token}: ${value > 0 ? "+" : ""}${show(value, 3)} to the score of ${predicted}`);
      sentence.append(part, " ");
    });
    const percent = probability === null ? "" : ` (${(100 * probability).toFixed(0)} % sure)`;
    sentence.append(make("div", { class: "verdict" }, `taken for ${predicted}${percent}, is ${label}`));
    return sentence;
  });
  section("Most wrong", "Blue words speak for the predicted label, orange ones against it (integrated gradients).", ...parts);
}

document.title = data.title;
document.getElementById("title").textContent = data.title;
theme();
summary();
if (data.curves.length) section("Curves", "", make("div", { class: "charts" }, ...data.curves.map(chart)));
if (data.confusion) confusion();
if (data.space && data.space.pictures.length) space();
if (data.neighbours.length) neighbours();
if (data.explained.length) explained();
