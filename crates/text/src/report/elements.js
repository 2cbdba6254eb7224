"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";

function filled(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** An element with attributes and children; what is text stays text. */
const make = (name, attributes = {}, ...children) => filled(document.createElement(name), attributes, children);

/** The same for pictures. */
const draw = (name, attributes = {}, ...children) => filled(document.createElementNS(SVG, name), attributes, children);

/** A part of the page under a heading, with a link to it at the top. */
function section(title, note, ...children) {
  const id = title.toLowerCase().replaceAll(" ", "-");
  const parts = [make("h2", { id, tabindex: -1 }, title)];
  if (note) parts.push(make("p", { class: "note" }, note));
  document.getElementById("main").append(make("section", { "aria-labelledby": id }, ...parts, ...children));
  document.getElementById("contents").append(make("li", {}, make("a", { href: "#" + id }, title)));
}

function table(name, head, rows, foot = []) {
  const headings = head.map((title) => make("th", { scope: "col" }, title));
  const parts = [make("thead", {}, make("tr", {}, ...headings)), make("tbody", {}, ...rows)];
  if (foot.length) parts.push(make("tfoot", {}, ...foot));
  return make("div", { class: "scroll" }, make("table", { class: name }, ...parts));
}

/** A number in few digits; what was not finite comes as null. */
function show(value, digits = 4) {
  if (value === null) return "not finite";
  const small = value !== 0 && Math.abs(value) < 10 ** -digits;
  return small ? value.toExponential(2) : String(Number(value.toFixed(digits)));
}

const signed = (value, digits) => (value > 0 ? "+" : "") + show(value, digits);
const percent = (share, digits = 1) => (100 * share).toFixed(digits) + "\u00a0%";
const largest = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value ?? 0)), 1e-12);

/** From orange (below 0) over `zero` to blue (above 0), in the theme's own tones; readable under text up to 0.55. */
function tint(share, zero = "--card") {
  const strength = Math.min(1, Math.abs(share)) * 100;
  return `color-mix(in srgb, var(${zero}), var(${share < 0 ? "--low" : "--high"}) ${strength.toFixed(1)}%)`;
}

/** What is said of an element that the pointer or the keyboard is on. */
const said = new WeakMap();

function explain(element, text) {
  said.set(element, text);
  return element;
}

function hints() {
  const tip = document.getElementById("tip");
  const hide = () => (tip.hidden = true);
  const at = (element, x, y) => {
    const text = said.get(element);
    if (text === undefined) return hide();
    if (tip.textContent !== text) tip.textContent = text;
    tip.hidden = false;
    const [width, height] = [tip.offsetWidth, tip.offsetHeight];
    tip.style.left = Math.max(4, Math.min(x + 12, innerWidth - width - 4)) + "px";
    tip.style.top = (y + 16 + height > innerHeight ? Math.max(4, y - height - 10) : y + 16) + "px";
  };
  addEventListener("pointermove", (event) => at(event.target, event.clientX, event.clientY));
  addEventListener("pointerdown", (event) => at(event.target, event.clientX, event.clientY));
  document.addEventListener("pointerleave", hide);
  addEventListener("focusin", ({ target }) => {
    const box = target.getBoundingClientRect();
    if (target.matches(":focus-visible")) at(target, box.left, box.bottom - 8);
  });
  addEventListener("focusout", hide);
  addEventListener("keydown", (event) => event.key === "Escape" && hide());
  addEventListener("scroll", hide, { passive: true });
}

/** One stop of the Tab key for many elements, which the arrow keys go through; `arrived` is told where. */
function walkable(elements, arrived = () => {}) {
  elements.forEach((element, index) => element.setAttribute("tabindex", index === 0 ? 0 : -1));
  const moves = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity };
  elements.forEach((element, index) =>
    element.addEventListener("keydown", (event) => {
      const move = moves[event.key];
      if (move === undefined) return;
      event.preventDefault();
      const next = elements[Math.max(0, Math.min(elements.length - 1, index + move))];
      elements.forEach((other) => other.setAttribute("tabindex", other === next ? 0 : -1));
      next.focus();
      arrived(elements.indexOf(next));
    }));
  return elements;
}
