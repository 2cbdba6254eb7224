const pairs = (entries) =>
  entries.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)));

function summary() {
  const metrics = data.metrics.map(([name, value]) => [name, show(value)]);
  section("Run", "",
    make("dl", { class: "tiles" }, ...pairs(metrics)),
    make("dl", { class: "settings" }, ...pairs(data.settings)));
}

/** Round numbers that span the values, four or so. */
function ticks(values) {
  let [low, high] = values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
  if (low > high) [low, high] = [0, 1];
  if (low === high) [low, high] = [low - 0.5, high + 0.5];
  const power = 10 ** Math.floor(Math.log10((high - low) / 4));
  const step = [1, 2, 5, 10].map((times) => times * power).find((step) => (high - low) / step <= 5);
  const first = Math.floor(low / step);
  return Array.from({ length: Math.ceil(high / step) - first + 1 }, (_, index) => (first + index) * step);
}

const FRAME = { width: 400, height: 240, left: 50, right: 14, top: 12, bottom: 44 };
const DASHES = ["none", "7 4", "2 4", "9 3 2 3", "4 2"];

const stroke = (index) => `stroke: var(--s${index % 5}); stroke-dasharray: ${DASHES[index % 5]}`;

/** The lines behind the curves, with their numbers. */
function grid(epochs, marks, x, y) {
  const parts = marks.flatMap((value) => [
    draw("line", { class: "axis", x1: FRAME.left, x2: FRAME.width - FRAME.right, y1: y(value), y2: y(value) }),
    draw("text", { x: FRAME.left - 8, y: y(value) + 4, "text-anchor": "end" }, Number(value.toPrecision(6)))]);
  for (let epoch = 0; epoch < epochs; epoch += Math.ceil(epochs / 10)) {
    parts.push(draw("text", { x: x(epoch), y: FRAME.height - 24, "text-anchor": "middle" }, epoch + 1));
  }
  const middle = (FRAME.left + FRAME.width - FRAME.right) / 2;
  return [...parts, draw("text", { x: middle, y: FRAME.height - 6, "text-anchor": "middle" }, "epoch")];
}

function chart({ title, series }) {
  const epochs = series.reduce((most, line) => Math.max(most, line.values.length), 1);
  const marks = ticks(series.flatMap((line) => line.values).filter((value) => value !== null));
  const [low, high] = [marks[0], marks.at(-1)];
  const x = (epoch) => FRAME.left + ((FRAME.width - FRAME.left - FRAME.right) * (epoch + (epochs === 1 ? 0.5 : 0))) / Math.max(1, epochs - 1);
  const y = (value) => FRAME.top + ((FRAME.height - FRAME.top - FRAME.bottom) * (high - value)) / (high - low);
  const curves = series.map(({ values }, index) => {
    const to = (value, epoch) => `${epoch && values[epoch - 1] !== null ? "L" : "M"}${x(epoch)} ${y(value)}`;
    const d = values.map((value, epoch) => (value === null ? "" : to(value, epoch))).join("");
    return draw("path", { class: "curve", d, style: stroke(index) });
  });
  const dots = series.flatMap(({ name, values }, index) => values.map((value, epoch) => {
    if (value === null) return null;
    const text = `${name}, epoch ${epoch + 1}: ${show(value)}`;
    const place = { cx: x(epoch), cy: y(value), r: epochs > 40 ? 2 : 3.5 };
    return explain(draw("circle", { ...place, style: `fill: var(--s${index % 5})`, role: "img", "aria-label": text }), text);
  })).filter((dot) => dot !== null);
  const legend = series.map(({ name }, index) => make("li", {},
    draw("svg", { viewBox: "0 0 28 8", "aria-hidden": "true" }, draw("path", { class: "curve", d: "M0 4H28", style: stroke(index) })), name));
  const box = { viewBox: `0 0 ${FRAME.width} ${FRAME.height}`, role: "group", "aria-label": `${title} by epoch` };
  return make("div", {}, make("h3", {}, title),
    draw("svg", box, ...grid(epochs, marks, x, y), ...curves, ...walkable(dots)),
    make("ul", { class: "legend" }, ...legend));
}

function curves() {
  section("Curves", "", make("div", { class: "charts" }, ...data.curves.map(chart)));
}

function confusion() {
  const { labels, rows } = data.confusion;
  const sum = (counts) => counts.reduce((sum, count) => sum + count, 0);
  const rate = (part, whole) => (whole ? percent(part / whole) : "–");
  const totals = rows.map(sum);
  const cell = (count, truth, predicted) => {
    const share = totals[truth] ? count / totals[truth] : 0;
    const style = `background: ${tint(0.55 * (predicted === truth ? share : -share))}`;
    const text = `${count} of ${totals[truth]} ${labels[truth]} taken for ${labels[predicted]}: ${rate(count, totals[truth])}`;
    return explain(make("td", { style }, String(count)), text);
  };
  const cells = rows.map((row, truth) => row.map((count, predicted) => cell(count, truth, predicted)));
  walkable(cells.flat());
  const body = rows.map((row, truth) => make("tr", {},
    make("th", { scope: "row" }, labels[truth]), ...cells[truth], make("td", {}, rate(row[truth], totals[truth]))));
  const precision = labels.map((_, label) => make("td", {}, rate(rows[label][label], sum(rows.map((row) => row[label])))));
  const right = sum(rows.map((row, label) => row[label]));
  const foot = make("tr", {}, make("th", { scope: "row" }, "precision"), ...precision, make("td", {}, rate(right, sum(totals))));
  section("Confusion", "A row for each true label, a column for each predicted one; the last corner is the accuracy.",
    table("counts", ["true \\ predicted", ...labels, "recall"], body, [foot]));
}

function neighbours() {
  const list = (near, old) => {
    const parts = near.map(([word, similarity]) => {
      const fresh = !old.some(([other]) => other === word);
      return explain(make("span", fresh ? { class: "fresh" } : {}, word), `${word}: similarity ${show(similarity, 3)}`);
    });
    return make("td", {}, ...walkable(parts).flatMap((part) => [part, " "]));
  };
  const rows = data.neighbours.map(({ word, before, after }) =>
    make("tr", {}, make("th", { scope: "row" }, word), list(before, before), list(after, before)));
  section("Nearest words", "Nearest first; underlined: nearest only after training.",
    table("words", ["word", "before training", "after training"], rows));
}

function sentence({ tokens, contributions, label, predicted, probability }) {
  const most = largest(contributions);
  const parts = tokens.map((token, index) => {
    const value = contributions[index] ?? null;
    const part = make("span", { class: "token", style: `background: ${tint((0.55 * (value ?? 0)) / most)}` }, token);
    return explain(part, `${token}: ${signed(value, 3)} to the score of ${predicted}`);
  });
  const sure = probability === null ? "" : `, ${percent(probability, 0)} sure`;
  const verdict = make("p", { class: "verdict" }, "is ", make("b", {}, label), ", taken for ", make("b", {}, predicted), sure);
  return make("li", {}, verdict, make("p", { class: "text", dir: "auto" }, ...walkable(parts).flatMap((part) => [part, " "])));
}

function explained() {
  const wrong = data.explained.every(({ label, predicted }) => label !== predicted);
  section(wrong ? "Most wrong sentences" : "Explained sentences", "What each word adds to the score of the predicted label: blue speaks for it, orange against it.",
    scale("against", "for", "speech"),
    make("ol", { class: "sentences" }, ...data.explained.map(sentence)));
}
