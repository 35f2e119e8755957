// An answer as it is seen: final text, and behind it the block that is being denoised.
import {add, visible} from "./elements.js";

const confidences = [[0.5, "c0"], [0.8, "c1"], [0.95, "c2"], [0.99, "c3"], [Infinity, "c4"]];
const special = /^<\|.*\|>$/; // tokens that are no text, such as ends
const mostColoured = 8000; // words of an answer; what follows is plain, so that a huge answer stays quick
const mostTokens = 4096, mostOpen = 3; // of a block, and blocks that wait for their text

// newAnswer is an answer without words. Every line is an element of its own: what is
// added makes the browser lay out the last one only.
export function newAnswer(turn) {
  const element = add(turn, "div", undefined, "answer");
  element.setAttribute("aria-busy", "true");
  const a = {
    turn, element, line: null, live: document.createElement("span"), cells: [], coloured: 0, text: "",
    open: [], done: -1, size: 0, before: 0, decided: 0, step: null, finish: "", usage: null, began: performance.now(), stop: new AbortController(),
  };
  a.live.className = "live";
  a.live.setAttribute("aria-hidden", "true");
  newLine(a);
  return a;
}

function newLine(a) {
  a.line = add(a.element, "div");
  a.line.append(a.live);
}

// say describes a token.
function say(t) {
  const text = t.text && `“${visible(t.text.trim() ? t.text.trim() : t.text)}”, confidence ${t.p.toFixed(3)}`;
  return t.masked ? text ? "masked, now " + text : "masked" : text;
}

// space is what a token begins with that has no colour.
const space = (text) => text.slice(0, text.length - text.trimStart().length);

const confidence = (t) => confidences.find(([below]) => t.p < below)[1];

// put adds final text, with what is known of it as a token.
function put(a, text, token) {
  text.split("\n").forEach((piece, i) => {
    if (i > 0) {
      a.live.before("\n");
      newLine(a);
    }
    if (!piece) return;
    if (!token || a.coloured >= mostColoured) {
      a.live.before(piece);
      return;
    }
    a.coloured++;
    const e = document.createElement("span");
    e.className = "t " + confidence(token);
    e.textContent = piece.trimStart();
    e.title = say(token);
    a.live.before(space(piece), e);
  });
}

// append adds final text, in the place of the blocks that showed it. It is of all of them
// but the last, which it is of only if that is decided: a step may come before the text of
// the block before its own.
export function append(a, text) {
  let rest = text;
  if (a.open[0]?.block < 0) a.open = [];
  while (a.open.length && (a.open.length > 1 || rest && decided(a.open[0]))) {
    const b = a.open.shift();
    a.done = b.block;
    rest = agree(a, rest, b.tokens);
  }
  put(a, rest);
  a.text += text;
}

const decided = (b) => b.final || !b.tokens.some((t) => t.masked);

// agree adds the text of tokens as far as they have it, and returns the rest: ends are no
// text, and of a character in several tokens none has the whole.
function agree(a, rest, tokens) {
  for (const t of tokens) {
    if (!t.text || special.test(t.text) || t.text.includes("\ufffd") && !rest.startsWith(t.text)) continue;
    const at = rest.indexOf(t.text);
    if (t.masked || at < 0 || at > 8) break;
    put(a, rest.slice(0, at));
    put(a, t.text, t);
    rest = rest.slice(at + t.text.length);
  }
  return rest;
}

// begin shows a block that the model has not seen yet.
export function begin(a, length) {
  a.open = [{block: -1, tokens: Array.from({length}, () => ({text: "", p: 0, masked: true, wrote: false}))}];
}

// draw shows what is not final as it is now.
export function draw(a) {
  const tokens = a.open.flatMap((b) => b.tokens);
  tokens.forEach((t, i) => {
    if (!a.cells[i]) {
      const before = document.createTextNode("");
      a.live.append(before);
      a.cells[i] = {before, e: add(a.live, "span")};
    }
    const {before, e} = a.cells[i], end = special.test(t.text);
    const text = end ? "∎" : t.masked ? visible(t.text) || "░" : t.text;
    const gap = text.trim() ? space(text) : "", word = text.slice(gap.length);
    const name = "t " + (t.masked ? t.text ? "mask" : "mask bare" : confidence(t) + (t.wrote ? " new" : "")) + (end ? " end" : "");
    if (before.data !== gap) before.data = gap;
    if (e.textContent !== word) e.textContent = word;
    if (e.className !== name) e.className = name;
    e.title = say(t);
  });
  for (const {before, e} of a.cells.splice(tokens.length)) {
    before.remove();
    e.remove();
  }
}

// step takes a denoising step. One of a block whose text is there already changes counts only.
export function step(a, s) {
  const count = (v) => Number.isSafeInteger(v) && v >= 0;
  const list = s?.tokens ?? [];
  if (!s || !count(s.block) || !count(s.step) || !count(s.forwards) || !Array.isArray(list) || list.length > mostTokens) throw new Error("The server told of a step that has no meaning.");
  const tokens = list.map((t) => ({text: String(t?.text ?? ""), p: Math.min(Math.max(Number(t?.p) || 0, 0), 1), masked: Boolean(t?.masked), wrote: Boolean(t?.wrote)}));
  if (a.step && s.block > a.step.block) a.before += a.size * (s.block - a.step.block);
  a.size = tokens.length;
  a.step = s;
  const masked = tokens.filter((t) => t.masked).length, told = !masked && a.text.endsWith(tokens.map((t) => special.test(t.text) ? "" : t.text).join(""));
  const last = a.open.at(-1);
  const b = {block: s.block, tokens, final: Boolean(s.final)};
  if (last?.block === s.block) Object.assign(last, b);
  else if (tokens.length && s.block > Math.max(a.done, last?.block ?? -1) && !told) {
    a.open = [...a.open.filter((b) => b.block >= 0).slice(-mostOpen), b];
  }
  a.decided = a.before + tokens.filter((t) => !t.masked && !special.test(t.text)).length; // as the server counts at the end
}
