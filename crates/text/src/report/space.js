/** The colours from one end to the other, with what stands there. */
const scale = (low, high, kind) => make("p", { class: `scale ${kind}` }, low, make("i", { "aria-hidden": "true" }), high);

/** A name for so many pixels of the picture, at most: more would hide the points. */
const PIXELS_A_NAME = 10000;

/** Points on a plane that can be moved and magnified; `named` says in which order names are put where there is room. */
function plane(svg, dots, names, named) {
  const view = { x: 0.5, y: 0.5, zoom: 1 };
  let [places, width, height] = [[], 1, 1];
  const labels = draw("g", { "aria-hidden": "true" });
  const points = draw("g");
  for (const dot of dots) points.append(dot);
  svg.append(points, labels);

  const on = ([x, y]) => [
    width / 2 + (x - view.x) * view.zoom * (width - 40),
    height / 2 + (y - view.y) * view.zoom * (height - 40)];

  const label = (spots) => {
    const taken = [];
    const parts = [];
    for (const index of named()) {
      if (parts.length > (width * height) / PIXELS_A_NAME) break;
      const [x, y] = spots[index] ?? [-1, -1];
      const long = 12 + 7.2 * names[index].length;
      const before = x + long > width;
      const box = [before ? x - long : x + 4, y - 8, before ? x - 4 : x + long, y + 8];
      const clear = taken.every(([a, b, c, d]) => box[2] < a || c < box[0] || box[3] < b || d < box[1]);
      if (x < 0 || y < 0 || x > width || y > height || !clear) continue;
      taken.push(box);
      const place = { x: before ? x - 8 : x + 8, y: y + 4, "text-anchor": before ? "end" : "start" };
      parts.push(draw("text", { ...place, class: dots[index].getAttribute("class") ?? "" }, names[index]));
    }
    labels.replaceChildren(...parts);
  };

  const paint = () => {
    const spots = places.map(on);
    spots.forEach(([x, y], index) => {
      dots[index].setAttribute("cx", x.toFixed(1));
      dots[index].setAttribute("cy", y.toFixed(1));
    });
    label(spots);
  };
  let waiting = false;
  const look = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; paint(); });
  };

  new ResizeObserver(() => {
    [width, height] = [Math.max(80, svg.clientWidth), Math.max(80, svg.clientHeight)];
    look();
  }).observe(svg);

  return {
    look,
    /** Puts the dots to other places, each axis from 0 to 1. */
    put(points) { places = points; look(); },
    move(dx, dy) {
      view.x = Math.max(-0.2, Math.min(1.2, view.x - dx / view.zoom / (width - 40)));
      view.y = Math.max(-0.2, Math.min(1.2, view.y - dy / view.zoom / (height - 40)));
      look();
    },
    /** Magnifies; what is at (x, y) of the picture stays there. */
    zoom(factor, x = width / 2, y = height / 2) {
      const [old, dx, dy] = [view.zoom, x - width / 2, y - height / 2];
      view.zoom = Math.max(0.5, Math.min(60, old * factor));
      const ratio = view.zoom / old - 1;
      this.move(-dx * ratio, -dy * ratio);
    },
    whole() { Object.assign(view, { x: 0.5, y: 0.5, zoom: 1 }); look(); },
    centre(index) { if (places[index]) { [view.x, view.y] = places[index]; view.zoom = Math.max(view.zoom, 3); look(); } },
  };
}

/** Dragging, two fingers, the wheel and the keyboard move and magnify a plane. */
function steer(svg, area) {
  const fingers = new Map();
  const at = (event) => {
    const box = svg.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const distance = ([a, b]) => Math.hypot(a[0] - b[0], a[1] - b[1]);
  svg.addEventListener("pointerdown", (event) => { svg.setPointerCapture(event.pointerId); fingers.set(event.pointerId, at(event)); });
  for (const end of ["pointerup", "pointercancel"]) svg.addEventListener(end, (event) => fingers.delete(event.pointerId));
  svg.addEventListener("pointermove", (event) => {
    const old = fingers.get(event.pointerId);
    if (!old) return;
    const now = at(event);
    const before = [...fingers.values()];
    fingers.set(event.pointerId, now);
    area.move((now[0] - old[0]) / before.length, (now[1] - old[1]) / before.length);
    if (before.length === 2) area.zoom(distance([...fingers.values()]) / Math.max(1, distance(before)), ...now);
  });
  svg.addEventListener("wheel", (event) => {
    event.preventDefault();
    area.zoom(event.deltaY > 0 ? 1 / 1.2 : 1.2, ...at(event));
  }, { passive: false });
  const keys = {
    ArrowLeft: () => area.move(40, 0), ArrowRight: () => area.move(-40, 0),
    ArrowUp: () => area.move(0, 40), ArrowDown: () => area.move(0, -40),
    "+": () => area.zoom(1.4), "-": () => area.zoom(1 / 1.4), 0: () => area.whole(),
  };
  svg.addEventListener("keydown", (event) => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  });
}

/** Each axis from 0 to 1, up being up. */
function fitted(points) {
  const known = points.map((point) => point.map((value) => value ?? 0));
  const axis = (index) => {
    const values = known.map((point) => point[index]);
    const low = values.reduce((a, b) => Math.min(a, b), Infinity);
    const high = values.reduce((a, b) => Math.max(a, b), -Infinity);
    return (value) => (high > low ? (value - low) / (high - low) : 0.5);
  };
  const [x, y] = [axis(0), axis(1)];
  return known.map((point) => [x(point[0]), 1 - y(point[1])]);
}

/** A box that marks the words that begin with what is typed; Enter goes to the first. */
function finder(words, dots, describe, area) {
  const status = make("p", { role: "status", class: "note line" });
  const box = make("input", { type: "search", placeholder: "Find a word", "aria-label": "Find a word", autocomplete: "off" });
  let found = [];
  box.addEventListener("input", () => {
    const wanted = box.value.trim().toLowerCase();
    found = words.flatMap((word, index) => (wanted && word.toLowerCase().startsWith(wanted) ? [index] : []));
    found.sort((a, b) => words[a].length - words[b].length);
    dots.forEach((dot) => dot.classList.remove("found"));
    for (const index of found) {
      dots[index].classList.add("found");
      // Last, so that no other dot lies over it.
      dots[index].parentNode.append(dots[index]);
    }
    const more = found.length > 1 ? `, and ${found.length - 1} more` : "";
    status.textContent = !wanted ? "" : found.length ? describe(found[0]) + more : "No such word";
    area.look();
  });
  box.addEventListener("keydown", (event) => event.key === "Enter" && found.length && area.centre(found[0]));
  return { box, status, found: () => found };
}

function tabs(pictures, panel, put) {
  const parts = pictures.map(([name], index) =>
    make("button", { type: "button", role: "tab", id: `tab-${index}`, "aria-controls": panel.id }, name));
  const choose = (chosen) => {
    parts.forEach((part, index) => {
      part.setAttribute("aria-selected", String(index === chosen));
      part.setAttribute("tabindex", index === chosen ? 0 : -1);
    });
    panel.setAttribute("aria-labelledby", `tab-${chosen}`);
    put(pictures[chosen][1]);
  };
  walkable(parts, choose);
  parts.forEach((part, index) => part.addEventListener("click", () => choose(index)));
  choose(0);
  return make("div", { class: "row", role: "tablist", "aria-label": "Picture" }, ...parts);
}

function space() {
  const { counts, values, value_name: name, pictures } = data.space;
  const words = data.space.words.slice(0, Math.min(...pictures.map(([, points]) => points.length)));
  const most = largest(values);
  const describe = (index) => {
    const seen = counts[index] === undefined ? "" : `seen ${counts[index]} times, `;
    return `${words[index]}: ${seen}${name} ${signed(values[index] ?? null, 3)}`;
  };
  const dots = words.map((_, index) =>
    explain(draw("circle", { r: 5, style: `fill: ${tint((values[index] ?? 0) / most, "--mid")}` }), describe(index)));
  const label = `${words.length} words in two dimensions; arrow keys move, plus and minus magnify, 0 shows all`;
  const svg = draw("svg", { id: "plot", role: "img", tabindex: 0, "aria-label": label });
  const byValue = words.map((_, index) => index).sort((a, b) => Math.abs(values[b] ?? 0) - Math.abs(values[a] ?? 0));
  const area = plane(svg, dots, words, () => [...search.found(), ...byValue]);
  const search = finder(words, dots, describe, area);
  steer(svg, area);
  const panel = make("div", { role: "tabpanel", id: "picture" }, svg);
  const press = (text, label, action) => {
    const button = make("button", { type: "button", "aria-label": label }, text);
    button.addEventListener("click", action);
    return button;
  };
  const tools = make("div", { class: "row" }, search.box, press("+", "Come nearer", () => area.zoom(1.4)),
    press("−", "Go farther", () => area.zoom(1 / 1.4)), press("All", "Show all words", () => area.whole()));
  section("Words in two dimensions", `Words with like vectors stand together. Drag, scroll or pinch to look around. Colour: ${name}.`,
    make("div", { class: "row apart" }, tabs(pictures, panel, (points) => area.put(fitted(points.slice(0, words.length)))), tools),
    search.status, panel, scale(show(-most, 2), signed(most, 2), "dots"));
}
