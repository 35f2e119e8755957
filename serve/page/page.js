// The page: a conversation, and what is seen of it.
import {$, add, oneLine} from "./elements.js";
import {ask, events, useKey} from "./server.js";
import * as settings from "./settings.js";
import {append, draw, newAnswer, preview, step} from "./answer.js";

let talk = [], going = null, pinned = true, frame = 0;

function fail(text) { $("error").textContent = oneLine(text); }

// trouble shows an error, and asks for a key if the server wants one.
function trouble(error) {
  fail(error.message);
  if (error.status !== 401) return;
  $("key-form").hidden = false;
  $("key").focus();
}

async function load() {
  fail("");
  try {
    $("model").textContent = await settings.load();
    $("key-form").hidden = true;
  } catch (error) {
    trouble(error);
  }
}

// later draws once a frame, however many steps there are in it.
function later() { frame ||= requestAnimationFrame(now); }

function now() {
  cancelAnimationFrame(frame);
  frame = 0;
  if (going) draw(going);
  if (pinned) $("main").scrollTop = $("main").scrollHeight;
}

const rate = (v) => Number.isFinite(v) ? v.toFixed(v < 10 ? 2 : v < 100 ? 1 : 0) : "–";

function figures(a) {
  $("block").textContent = a.step.block + 1;
  $("step").textContent = a.step.step;
  $("forwards").textContent = a.step.forwards;
  $("speed").textContent = rate(a.decided / ((performance.now() - a.began) / 1000));
  $("tpf").textContent = rate(a.decided / a.step.forwards);
}

// take takes an event.
function take(a, text) {
  let c;
  try { c = JSON.parse(text); } catch { throw new Error("The server sent what is no JSON: " + text.slice(0, 80)); }
  if (c?.error) throw new Error(c.error.message || "The server had an error.");
  const first = c?.choices?.[0];
  if (first?.delta?.content) append(a, String(first.delta.content));
  if (first?.finish_reason) a.finish = String(first.finish_reason);
  if (c?.llada?.step) {
    step(a, c.llada.step);
    figures(a);
  }
  later();
  if (c?.usage) a.usage = c.usage;
}

async function send() {
  const prompt = $("prompt").value, bad = settings.bad();
  if (going || !prompt.trim()) return $("prompt").focus();
  if (bad) {
    open(true);
    bad.control.focus();
    return fail(`${bad.label} must be ${bad.error}.`);
  }
  fail("");
  const turn = add($("talk"), "article", undefined, "turn going");
  add(turn, "p", prompt, "asked");
  const a = going = newAnswer(turn), length = Math.min(settings.blockLength(), 128);
  a.loose = settings.loose();
  preview(a, Array.from({length}, () => ({text: "", p: 0, masked: true, wrote: false})));
  for (const id of ["block", "step", "forwards", "speed", "tpf"]) $(id).textContent = "–";
  $("prompt").value = $("said").textContent = "";
  pinned = true;
  state();
  later();
  let error = null;
  try {
    const body = JSON.stringify(settings.request([...talk, {role: "user", content: prompt}]));
    const r = await ask("v1/chat/completions", {method: "POST", headers: {"Content-Type": "application/json"}, body, signal: a.stop.signal});
    for await (const text of events(r.body)) {
      if (text === "[DONE]") break;
      take(a, text);
    }
    if (!a.finish) error = new Error("The answer ended before it was finished.");
  } catch (e) {
    if (!a.stop.signal.aborted) error = e instanceof TypeError ? new Error("The connection broke before the answer was finished.") : e;
  }
  if (going === a) end(a, prompt, error); // else it was forgotten meanwhile
}

// end closes an answer, whole or not. A turn without text is no part of the conversation,
// and its prompt comes back.
function end(a, prompt, error) {
  now();
  going = null;
  const stopped = a.stop.signal.aborted, whole = a.finish && !error && !stopped;
  if (a.text) talk.push({role: "user", content: prompt}, {role: "assistant", content: a.text});
  else if (!whole && !$("prompt").value) $("prompt").value = prompt;
  if (whole || !a.step) a.live.remove();
  a.turn.className = "turn still";
  a.element.removeAttribute("aria-busy");
  if (error) trouble(error);
  if (error && !a.step && !a.text) a.turn.remove();
  else after(a, stopped, error);
  if (whole) $("said").textContent = a.text.length > 2000 ? "The answer is finished. It is long." : a.text || "The answer is empty.";
  if (stopped) $("said").textContent = "Stopped.";
  state();
  if ($("key-form").hidden) $("prompt").focus({preventScroll: true});
  if (pinned) now();
}

// after says below an answer how it was made.
function after(a, stopped, error) {
  const box = add(a.turn, "div", undefined, "after"), u = a.usage, seconds = (performance.now() - a.began) / 1000;
  const figure = (v, unit) => add(add(box, "span"), "b", v).after(" " + unit);
  if (stopped) add(box, "span", "stopped");
  else if (error) add(box, "span", "interrupted");
  else if (a.finish === "length") add(box, "span", "cut off at the longest answer");
  else if (a.finish !== "stop") add(box, "span", a.finish);
  if (u) {
    const f = u.forwards || {}, n = Number(u.completion_tokens) || 0;
    figure(n, "tokens");
    figure(rate(n / seconds), "tokens/s");
    if (Number(u.tokens_per_forward)) figure(rate(Number(u.tokens_per_forward)), "tokens/forward");
    if (Number(f.denoise)) box.lastChild.title = ["prefill", "denoise", "commit", "fused"].map((k) => `${k} ${Number(f[k]) || 0}`).join(", ");
    if (Number(f.denoise)) figure(Number(f.denoise), "forwards");
    $("forwards").textContent = Number(f.denoise) || "–";
    $("speed").textContent = rate(n / seconds);
    $("tpf").textContent = rate(Number(u.tokens_per_forward) || NaN);
  }
  if (a.loose) add(box, "span", a.loose, "class approximate");
  if (a.text && navigator.clipboard) {
    const copy = add(box, "button", "Copy");
    copy.type = "button";
    copy.addEventListener("click", () => navigator.clipboard.writeText(a.text).then(() => { copy.textContent = "Copied"; }, () => { copy.textContent = "Not allowed"; }));
  }
}

// state shows what can be done now.
function state() {
  $("send").hidden = Boolean(going);
  $("stop").hidden = !going;
  $("welcome").hidden = $("talk").childElementCount > 0;
  $("new").hidden = $("live").hidden = $("talk").childElementCount === 0;
}

function forget() {
  if (going) going.stop.abort();
  going = null;
  talk = [];
  $("talk").replaceChildren();
  fail("");
  state();
  $("prompt").focus();
}

function open(on) {
  $("settings").hidden = !on;
  $("open").setAttribute("aria-expanded", on);
}

function start() {
  const click = (id, f) => $(id).addEventListener("click", f);
  click("send", send);
  click("stop", () => going && going.stop.abort());
  click("new", forget);
  click("open", () => { open($("settings").hidden); if (!$("settings").hidden) $("close").focus({preventScroll: true}); });
  click("close", () => { open(false); $("open").focus(); });
  click("recommended", settings.reset);
  $("colours").addEventListener("change", () => document.body.classList.toggle("plain", !$("colours").checked));
  $("main").addEventListener("scroll", () => { const m = $("main"); pinned = m.scrollHeight - m.scrollTop - m.clientHeight < 60; }, {passive: true});
  for (const kind of ["pointerover", "click"]) $("talk").addEventListener(kind, (event) => { if (event.target.classList.contains("t")) $("detail").textContent = event.target.title; });
  $("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const k = $("key").value.trim();
    if (!/^[\x21-\x7e]+$/.test(k)) return fail("A key has letters, digits and signs only, and no spaces.");
    useKey(k);
    $("key").value = "";
    load();
  });
  document.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      send();
    } else if (event.key === "Escape") {
      if (going) going.stop.abort(); else if (!$("settings").hidden) $("close").click();
    }
  });
  for (const text of ["Why is the sky blue? Answer in two sentences.", "Write a Python function that reverses the words of a text.", "What is 48 / 2 + 48?"]) {
    const b = add(add($("examples"), "li"), "button", text);
    b.type = "button";
    b.addEventListener("click", () => { $("prompt").value = text; $("prompt").focus(); });
  }
  load();
}

start();
