"use strict";
// Replays a trace. The data are a recording of changes: going from one step to another
// touches the positions that changed between them, and no others. Texts are set as
// textContent only.
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const add = (parent, tag, text, name) => {
  const e = document.createElement(tag);
  if (text !== undefined) e.textContent = text;
  if (name) e.className = name;
  parent.append(e);
  return e;
};
const steps = data.steps, total = steps.length;
const GIVEN = 0, EDITED = 2; // how a position changed; 1: written
const fixed = (thousandths, digits = 3) => (thousandths / 1000).toFixed(digits);

// Cells are the positions, in the order in which their blocks came. A cell has the steps at
// which it changed, and what to.
const cells = [];
const rows = data.rows.map(([block, prompt]) => {
  const row = {block, prompt, first: -1, last: 0, cells: [], element: null};
  for (let i = prompt; i < data.block; i++) {
    const cell = {row, i, index: cells.length, at: [], piece: [], kind: [], element: null};
    row.cells.push(cell);
    cells.push(cell);
  }
  return row;
});
steps.forEach((s, n) => {
  const row = rows[s.r];
  if (row.first < 0) row.first = n;
  row.last = Math.max(row.last, s.n);
  for (let j = 0; j < s.c.length; j += 3) {
    const cell = row.cells[s.c[j] - row.prompt];
    cell.at.push(n);
    cell.piece.push(s.c[j + 1]);
    cell.kind.push(s.c[j + 2]);
  }
});

// changed returns the index of a cell's last change at or before a step, or -1.
function changed(cell, n) {
  let low = 0, high = cell.at.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (cell.at[middle] <= n) low = middle + 1; else high = middle;
  }
  return low - 1;
}

// predicted returns what a step predicted for a cell, or null.
function predicted(cell, n) {
  const s = steps[n], p = s.p || [];
  if (rows[s.r] !== cell.row) return null;
  for (let j = 0; j < p.length; j += 5) {
    if (p[j] === cell.i) return {piece: p[j + 1], prob: p[j + 2], second: p[j + 3], entropy: p[j + 4]};
  }
  return null;
}

// Tokens.
const confidences = [[500, "below 0.5"], [800, "0.5 to 0.8"], [950, "0.8 to 0.95"], [990, "0.95 to 0.99"], [1001, "0.99 and more"]];
const times = ["first fifth of the block's steps", "second", "third", "fourth", "last fifth"];

function draw(cell, n) {
  const e = cell.element, k = changed(cell, n);
  let name = "t";
  if (cell === selected) name += " selected";
  if (k < 0 || cell.piece[k] < 0) {
    e.textContent = "░";
    e.className = name + " mask";
    cell.tail.data = "";
    return;
  }
  const at = cell.at[k], kind = cell.kind[k], p = predicted(cell, at);
  // The end of a line is outside of the element, which it would divide; ends of the answer,
  // which often fill the rest of a block, are short.
  const text = data.pieces[cell.piece[k]], line = text.endsWith("\n");
  e.textContent = line ? text.slice(0, -1) : text;
  cell.tail.data = line ? "\n" : "";
  if (cell.piece[k] === data.end) {
    e.textContent = "∎";
    name += " end";
  }
  if (kind === GIVEN) name += " given";
  else name += " w" + Math.min(4, Math.floor(5 * steps[at].n / (cell.row.last + 1)));
  if (p) name += " c" + confidences.findIndex(([below]) => p.prob < below);
  if (kind === EDITED) name += " edited";
  if (at === n && kind !== GIVEN) name += " new";
  e.className = name;
}

// show makes a row visible or not; its elements are made when it is seen first.
function show(row, n) {
  const visible = row.first >= 0 && row.first <= n;
  if (!row.element) {
    if (!visible) return;
    row.element = document.createElement("div");
    add(row.element, "span", row.block, "block").title = `block ${row.block}, positions ${row.block * data.block} to ${row.block * data.block + data.block - 1}`;
    for (const cell of row.cells) {
      cell.element = add(row.element, "span");
      cell.element.cell = cell;
      cell.tail = document.createTextNode("");
      row.element.append(cell.tail);
      draw(cell, n);
    }
    // Rows are seen in their order.
    $("tokens").append(row.element);
  }
  row.element.hidden = !visible;
}

let now = -1, selected = null, pinned = false;

function go(n) {
  n = Math.min(Math.max(n, 0), total - 1);
  if (n < 0 || n === now) return;
  const from = now < 0 ? 0 : Math.min(n, now), to = Math.max(n, now), touched = new Set();
  for (let k = from; k <= to; k++) {
    const s = steps[k], row = rows[s.r];
    if (row.first === k) show(row, n);
    for (let j = 0; j < s.c.length; j += 3) touched.add(row.cells[s.c[j] - row.prompt]);
  }
  now = n;
  for (const cell of touched) if (cell.element) draw(cell, n);
  const s = steps[n], row = rows[s.r];
  $("slider").value = n + 1;
  const at = `step ${n + 1} of ${total}: block ${row.block}, step ${s.n + 1}`;
  $("slider").setAttribute("aria-valuetext", at);
  $("at").textContent = at + (s.z ? " ⚠ confusion" : "");
  document.documentElement.dataset.step = n + 1;
  $("entropy-now").textContent = fixed(s.e);
  $("margin-now").textContent = fixed(s.m);
  for (const curve of curves) curve(n);
  forward(s);
  detail();
  if (!following) following = requestAnimationFrame(follow);
}

// follow scrolls the tokens so that the row of the step can be seen: once a frame, since it
// makes the browser lay out what changed.
let following = 0;

function follow() {
  following = 0;
  const row = rows[steps[now].r];
  const pane = $("tokens"), box = pane.getBoundingClientRect(), r = row.element.getBoundingClientRect();
  if (r.bottom > box.bottom) pane.scrollTop += r.bottom - box.bottom + 8;
  else if (r.top < box.top) pane.scrollTop -= box.top - r.top + 8;
}

function select(cell, pin) {
  const before = selected;
  selected = cell;
  pinned = pin;
  for (const c of [before, cell]) if (c && c.element) draw(c, now);
  detail();
}

// detail says what is known of the selected token.
function detail() {
  const out = $("detail");
  out.textContent = "";
  if (!selected || selected.row.first > now) {
    add(out, "span", "Point at a token, or tap it, to see what the model gave it.", "hint");
    return;
  }
  const k = changed(selected, now), mask = k < 0 || selected.piece[k] < 0, n = mask ? now : selected.at[k];
  const p = predicted(selected, n), place = `position ${selected.row.block * data.block + selected.i}`;
  const token = (piece) => add(out, "bdi", data.pieces[piece].replace(/\n/g, ""), "token");
  if (mask) add(out, "span", `${place}: a mask`);
  else {
    add(out, "span", place + ": ");
    token(selected.piece[k]);
    const how = selected.kind[k] === GIVEN ? "there before the steps" : `${selected.kind[k] === EDITED ? "edited" : "decided"} at step ${n + 1}`;
    add(out, "span", ` (id ${data.ids[selected.piece[k]]}), ${how}`);
  }
  if (!p) return;
  if (mask || p.piece !== selected.piece[k]) {
    add(out, "span", ", predicted ");
    token(p.piece);
    add(out, "span", ` (id ${data.ids[p.piece]})`);
  }
  add(out, "span", ` · probability ${fixed(p.prob)} · second ${fixed(p.second)} · entropy ${fixed(p.entropy)} nats`);
}

// Curves. Where there are more steps than columns, a column has the greatest of its values.
const curves = [];

function curve(id, key, most) {
  const svgns = "http://www.w3.org/2000/svg", width = 1000, height = 100;
  const columns = Math.min(total, 500), value = new Array(columns).fill(0), zone = new Array(columns).fill(false);
  const column = (n) => total < 2 ? 0 : Math.floor(n * (columns - 1) / (total - 1));
  let top = most;
  steps.forEach((s, n) => {
    const c = column(n);
    value[c] = Math.max(value[c], s[key]);
    zone[c] = zone[c] || !!s.z;
    top = Math.max(top, s[key]);
  });
  top = top || 1;
  const x = (c) => columns < 2 ? width / 2 : c * width / (columns - 1);
  const shape = (parent, tag, attributes) => {
    const e = document.createElementNS(svgns, tag);
    for (const [name, v] of Object.entries(attributes)) e.setAttribute(name, v);
    parent.append(e);
    return e;
  };
  const box = $(id), svg = shape(box, "svg", {viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img"});
  shape(svg, "title", {}).textContent = `${id} over ${total} steps, from 0 to ${fixed(top)}`;
  const half = columns < 2 ? width / 2 : Math.max(width / (columns - 1) / 2, 2);
  zone.forEach((z, c) => {
    if (!z) return;
    shape(svg, "rect", {class: "zone", x: x(c) - half, y: 0, width: 2 * half, height});
    shape(svg, "rect", {class: "zone-mark", x: x(c) - half, y: 0, width: 2 * half, height: 5});
  });
  const points = value.map((v, c) => `${x(c).toFixed(1)} ${(height - 2 - v / top * (height - 8)).toFixed(1)}`);
  shape(svg, "path", {class: "line", d: "M" + points.join("L") + (columns < 2 ? "h1" : "")});
  const cursor = shape(svg, "line", {class: "cursor", y1: 0, y2: height});
  add(box, "span", fixed(top, 2), "top");
  add(box, "span", "0", "bottom");
  curves.push((n) => {
    const at = x(total < 2 ? 0 : n * (columns - 1) / (total - 1));
    cursor.setAttribute("x1", at);
    cursor.setAttribute("x2", at);
  });
  const move = (event) => {
    const r = svg.getBoundingClientRect();
    go(Math.round((event.clientX - r.left) / r.width * (total - 1)));
  };
  svg.addEventListener("pointerdown", (event) => { svg.setPointerCapture(event.pointerId); move(event); });
  svg.addEventListener("pointermove", (event) => { if (event.buttons) move(event); });
}

// The forward: its time, and a bar for each layer.
const bars = [];
let mostExperts = 1;

function forward(s) {
  const [attention, ffn, head, all] = s.t, x = s.x || [];
  $("time").textContent = `${fixed(all, 1)} ms: attention ${fixed(attention, 1)}, feed-forward ${fixed(ffn, 1)}, head ${fixed(head, 1)}, other ${fixed(Math.max(0, all - attention - ffn - head), 1)}`;
  const routed = x.filter((v) => v > 0);
  const mean = routed.reduce((a, b) => a + b, 0) / (routed.length || 1);
  $("experts-now").textContent = routed.length ? `${mean.toFixed(1)} on average, at most ${Math.max(...routed)}` : "none";
  $("experts").setAttribute("aria-label", "experts by layer: " + x.join(", "));
  bars.forEach((bar, i) => {
    const v = x[i] || 0;
    bar.bar.style.height = 100 * v / mostExperts + "%";
    bar.number.textContent = v;
    bar.element.title = `layer ${i}: ${v} experts`;
  });
}

// Playing.
let timer = 0;

function play(on) {
  clearTimeout(timer);
  timer = 0;
  if (on && total > 1) {
    if (now === total - 1) go(0);
    timer = setTimeout(tick, 1000 / $("speed").value);
  }
  $("play").textContent = timer ? "▮▮" : "▶\uFE0E";
  $("play").setAttribute("aria-label", timer ? "pause" : "play");
  $("at").setAttribute("aria-live", timer ? "off" : "polite");
}

function tick() {
  go(now + 1);
  if (now === total - 1) play(false);
  else timer = setTimeout(tick, 1000 / $("speed").value);
}

function nextZone() {
  for (let k = 1; k <= total; k++) {
    if (steps[(now + k) % total].z) return go((now + k) % total);
  }
}

// toBlock goes to the first step of the block before or after this one.
function toBlock(by) {
  let n = now + by;
  while (n > 0 && n < total && rows[steps[n].r].first !== n) n += by;
  go(n);
}

function colour(by) {
  $("tokens").className = by;
  document.querySelector(`input[value=${by}]`).checked = true;
  const key = $("key");
  key.textContent = "";
  const names = by === "when" ? times.map((name, i) => ["w" + i, name]) : confidences.map(([, name], i) => ["c" + i, name]).reverse();
  key.className = by;
  add(key, "span", by === "when" ? "decided in the" : "probability");
  for (const [name, text] of names) add(key, "span", text, "t " + name);
  add(key, "span", "░", "t mask");
  add(key, "span", "mask");
  add(key, "span", "written by this step", "t new");
  add(key, "span", "edited", "t edited");
  add(key, "span", "∎ end", "t end");
}

const keys = {
  ArrowLeft: () => go(now - 1), ArrowRight: () => go(now + 1), ArrowDown: () => go(now - 1), ArrowUp: () => go(now + 1),
  Home: () => go(0), End: () => go(total - 1), PageUp: () => toBlock(-1), PageDown: () => toBlock(1),
  " ": () => play(!timer), z: nextZone, c: () => colour($("tokens").className === "when" ? "confidence" : "when"),
  ",": () => selectNext(-1), ".": () => selectNext(1),
};

function selectNext(by) {
  const next = selected ? cells[selected.index + by] : rows.length ? rows[steps[now].r].cells[0] : null;
  if (next && next.row.first <= now) select(next, true);
}

document.addEventListener("keydown", (event) => {
  const on = event.target, name = on.tagName;
  if (!keys[event.key] || event.ctrlKey || event.altKey || event.metaKey) return;
  // Buttons, lists and the like have these keys for themselves; up and down scroll.
  if (name === "SELECT" || name === "INPUT" && on.type === "radio" || event.key === " " && (name === "BUTTON" || name === "SUMMARY")) return;
  if ((event.key === "ArrowUp" || event.key === "ArrowDown") && on !== $("slider")) return;
  if (event.key !== " " && event.key !== "c" && event.key !== "," && event.key !== ".") play(false);
  event.preventDefault();
  keys[event.key]();
});

function start() {
  $("model").textContent = data.title;
  for (const [id, list] of [["facts", data.facts], ["settings", data.settings]]) {
    for (const [name, value] of list) {
      const item = add($(id), "div");
      add(item, "dt", name);
      add(item, "dd", value);
    }
  }
  for (const notice of data.notices) add($("notices"), "li", notice, "notice");
  $("prompt").textContent = data.prompt;
  $("answer").textContent = data.answer;
  const zones = steps.filter((s) => s.z).length;
  $("zones").textContent = zones === 1 ? "1 step in a confusion zone" : `${zones || "no"} steps in a confusion zone`;
  $("zone").hidden = zones === 0;
  colour("confidence");
  if (total === 0) {
    for (const e of document.querySelectorAll("main > section:not(#texts)")) e.hidden = true;
    return;
  }
  let layers = 0;
  for (const s of steps) {
    for (const v of s.x || []) mostExperts = Math.max(mostExperts, v);
    layers = Math.max(layers, (s.x || []).length);
  }
  for (let i = 0; i < layers; i++) {
    const element = add($("experts"), "div"), bar = add(add(element, "div", undefined, "track"), "div", undefined, "bar");
    bars.push({element, bar, number: add(element, "span", "")});
  }
  $("experts").classList.toggle("many", layers > 40);
  $("experts-figure").hidden = layers === 0;
  $("slider").max = total;
  curve("entropy", "e", 0);
  curve("margin", "m", 1000);
  const click = (id, f) => $(id).addEventListener("click", f);
  const jump = (f) => () => { play(false); f(); };
  click("first", jump(() => go(0)));
  click("back", jump(() => go(now - 1)));
  click("on", jump(() => go(now + 1)));
  click("last", jump(() => go(total - 1)));
  click("zone", jump(nextZone));
  click("play", () => play(!timer));
  $("slider").addEventListener("input", jump(() => go($("slider").value - 1)));
  for (const radio of document.querySelectorAll("input[name=colour]")) radio.addEventListener("change", () => colour(radio.value));
  $("tokens").addEventListener("pointerover", (event) => { if (!pinned && event.target.cell) select(event.target.cell, false); });
  click("tokens", (event) => { if (event.target.cell) select(event.target.cell, !(pinned && selected === event.target.cell)); });
  const fromHash = () => {
    const wanted = /^#step=(\d+)$/.exec(location.hash);
    return wanted ? Math.max(0, wanted[1] - 1) : null;
  };
  addEventListener("hashchange", () => { if (fromHash() !== null) go(fromHash()); });
  go(fromHash() ?? total - 1);
}

start();
})();
