// An answer as it is seen: final text, and behind it the block that is being denoised.
import {add, visible} from "./elements.js";

const confidences = [[0.5, "c0"], [0.8, "c1"], [0.95, "c2"], [0.99, "c3"], [Infinity, "c4"]];
const special = /^<\|.*\|>$/; // tokens that are no text, such as ends
const mostColoured = 8000; // words of an answer; what follows is plain, so that a huge answer stays quick
const mostTokens = 4096; // of a block

// newAnswer is an answer without words. Every line is an element of its own: what is
// added makes the browser lay out the last one only.
export function newAnswer(turn) {
  const element = add(turn, "div", undefined, "answer");
  element.setAttribute("aria-busy", "true");
  const a = {
    turn, element, line: null, live: document.createElement("span"), cells: [], coloured: 0, text: "",
    block: -1, done: -1, tokens: [], next: 0, size: 0, before: 0, decided: 0, step: null, finish: "", usage: null, began: performance.now(), stop: new AbortController(),
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
  const text = t.text && `“${visible(t.text.trim() ? t.text.trim() : t.text)}” with ${t.p.toFixed(3)}`;
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

// append adds final text in the place of the tokens that showed it, as far as they agree:
// ends are no text, and of a character in several tokens none has the whole.
export function append(a, text) {
  let rest = text, agreed = 0;
  while (rest && a.next < a.tokens.length) {
    const t = a.tokens[a.next];
    if (t.masked) break;
    if (special.test(t.text) || !t.text || t.text.includes("\ufffd") && !rest.startsWith(t.text)) {
      a.next++;
      continue;
    }
    const at = rest.indexOf(t.text);
    if (at < 0 || at > 8) break;
    put(a, rest.slice(0, at));
    put(a, t.text, t);
    rest = rest.slice(at + t.text.length);
    a.next++;
    agreed++;
  }
  put(a, rest);
  a.text += text;
  // A block with masks that does not agree is the next one, and goes on.
  if (agreed || !a.tokens.some((t) => t.masked)) a.done = a.block;
  preview(a, []);
}

// preview sets tokens of the block that is being denoised.
export function preview(a, tokens) {
  a.tokens = tokens;
  a.next = 0;
}

// draw shows the block as it is now.
export function draw(a) {
  a.tokens.slice(a.next).forEach((t, i) => {
    if (!a.cells[i]) {
      const before = document.createTextNode("");
      a.live.append(before);
      a.cells[i] = {before, e: add(a.live, "span")};
    }
    const {before, e} = a.cells[i], end = special.test(t.text);
    const text = end ? "∎" : t.masked ? visible(t.text) || "░" : t.text;
    const gap = text.trim() ? space(text) : "", word = text.slice(gap.length);
    const name = "t " + (t.masked ? "mask" : confidence(t) + (t.wrote ? " new" : "")) + (end ? " end" : "");
    if (before.data !== gap) before.data = gap;
    if (e.textContent !== word) e.textContent = word;
    if (e.className !== name) e.className = name;
    e.title = say(t);
  });
  for (const {before, e} of a.cells.splice(a.tokens.length - a.next)) {
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
  if (s.block > a.done && !(told && a.block !== s.block)) {
    a.block = s.block;
    preview(a, tokens);
  }
  a.decided = a.before + tokens.length - masked;
}
