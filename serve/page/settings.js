// The model as the server describes it, and the settings of requests. What is not in the
// changed ones is left to the server.
import {$, add, kept} from "./elements.js";
import {ask} from "./server.js";

const disk = () => localStorage;
let model = {id: "", context: 0, policies: [], profiles: []}, recommended = {}, changed = {};

// choice makes a policy or a profile of what the server says of one. What is not known to
// be exact is called approximate.
function choice(c) {
  if (typeof c === "string") c = {name: c, class: c === "exact" || c === "reference" ? "exact" : "approximate"};
  return c && typeof c.name === "string" ? {name: c.name, class: String(c.class || "approximate"), about: String(c.about || "")} : null;
}

// load asks for the model and shows the settings, what it has of them. It returns what is to
// be said of the model.
export async function load() {
  let facts = "";
  try {
    const m = (await (await ask("v1/models", {})).json()).data[0], own = m.llada || {}, s = own.settings || {};
    const choices = (list) => (Array.isArray(list) ? list : []).slice(0, 100).map(choice).filter(Boolean);
    model = {id: String(m.id), context: Number(own.context) || 0, policies: choices(own.policies), profiles: choices(own.profiles)};
    recommended = {
      max_tokens: s.gen_length, block_length: s.block_length, steps: s.steps, threshold: s.threshold, temperature: s.temperature, top_p: s.top_p, top_k: s.top_k, seed: s.seed,
      policy: (s.policy || {}).name || "threshold", profile: s.profile || "exact",
    };
    facts = [model.id, own.type, model.context && model.context + " positions", own.block_length && "blocks of " + own.block_length].filter(Boolean).join(" · ");
  } catch (error) {
    throw error instanceof TypeError ? new Error("The server's list of models is not one that this page knows.") : error;
  } finally {
    build();
  }
  return facts;
}

const fields = [ // the profile before what it has a say in
  {id: "system", label: "System prompt", rows: 3, about: "What the model is told before the conversation."},
  {id: "max_tokens", label: "Longest answer", min: 1, whole: true, about: "In tokens. With the conversation it must fit the model's positions."},
  {id: "profile", label: "Profile", from: "profiles", about: "A bundle of settings."},
  {id: "policy", label: "Policy", from: "policies", profiled: true, about: "Which words a step decides."},
  {id: "threshold", label: "Threshold", min: 0, max: 1, step: 0.01, profiled: true, about: "A word that is more probable than this is decided."},
  {id: "block_length", label: "Block length", min: 1, whole: true, about: "Positions that are denoised together."},
  {id: "steps", label: "Steps", min: 1, whole: true, about: "Most denoising steps of a block. Fewer are faster, and less sure."},
  {id: "temperature", label: "Temperature", min: 0, step: 0.1, about: "0 takes the most probable word. Above it words are drawn."},
  {id: "top_p", label: "Top p", min: 0, max: 1, step: 0.01, about: "Draw within this share of probability. 0 or 1: from all."},
  {id: "top_k", label: "Top k", min: 0, whole: true, about: "Draw among so many words. 0: among all."},
  {id: "seed", label: "Seed", min: 0, whole: true, about: "Of the drawing. Equal seeds give equal answers."},
];

// base is what a setting is where it is left alone: undefined where that is the profile's.
const base = (f) => f.id === "system" ? "" : f.profiled && changed.profile ? undefined : recommended[f.id];

// wrong says what is wrong with a setting, or "".
function wrong(f, v) {
  if (f.rows) return typeof v === "string" && v.length <= 100000 ? "" : "too long";
  if (f.from) return model[f.from].some((c) => c.name === v) ? "" : "not one of the model's";
  const most = f.max ?? (f.id === "max_tokens" && model.context || Number.MAX_SAFE_INTEGER);
  if (typeof v === "number" && v >= f.min && v <= most && (!f.whole || Number.isInteger(v))) return "";
  return `${f.whole ? "a whole number" : "a number"} ${most === Number.MAX_SAFE_INTEGER ? "from " + f.min : `between ${f.min} and ${most}`}`;
}

function build() {
  let saved = {};
  try { saved = JSON.parse(kept(disk, "llada.settings")) || {}; } catch { /* not ours */ }
  changed = {};
  for (const f of fields) {
    if (Object.hasOwn(saved, f.id) && saved[f.id] !== base(f) && !wrong(f, saved[f.id])) changed[f.id] = saved[f.id];
  }
  $("fields").replaceChildren();
  for (const f of fields) {
    f.box = add($("fields"), "div", undefined, "field");
    const label = add(f.box, "label");
    add(label, "span", f.label);
    f.mark = add(label, "span", "", "mark");
    const e = f.control = add(f.box, f.rows ? "textarea" : f.from ? "select" : "input");
    label.htmlFor = e.id = "set-" + f.id;
    f.about$ = add(f.box, "small");
    f.about$.id = e.id + "-about";
    e.setAttribute("aria-describedby", f.about$.id);
    if (f.rows) e.rows = f.rows;
    else if (!f.from) {
      e.type = "number";
      e.min = f.min;
      e.step = f.step || 1;
      if (f.max) e.max = f.max;
    }
    e.addEventListener("input", () => set(f));
    e.addEventListener("change", () => show());
    f.error = "";
  }
  show();
}

// set takes a setting from its control.
function set(f) {
  const text = f.control.value, v = f.rows || f.from ? text : Number(text);
  const left = text === "" && !(f.control.validity || {}).badInput;
  f.error = left || f.rows ? "" : wrong(f, text === "" ? undefined : v);
  if (left || f.error || v === base(f)) delete changed[f.id]; else changed[f.id] = v;
  for (const g of fields) if (changed[g.id] === base(g)) delete changed[g.id];
  save();
  show(f);
}

function save() { kept(disk, "llada.settings", Object.keys(changed).length ? JSON.stringify(changed) : null); }

// mark says beside a setting whether it is the recommended one, and if not, which is.
function mark(f, is) {
  if (f.rows) return is ? "changed" : "";
  if (is || f.error) return recommended[f.id] === undefined ? "changed" : "recommended: " + recommended[f.id];
  if (base(f) !== undefined) return "recommended";
  return changed.profile ? "as the profile says" : "";
}

// show shows the settings, but leaves what is being typed as it is.
function show(typed) {
  for (const f of fields) {
    const b = base(f), is = Object.hasOwn(changed, f.id), now = is ? changed[f.id] : b;
    if (f.from) {
      f.control.replaceChildren();
      if (b === undefined) add(f.control, "option", "the profile's").value = "";
      for (const c of model[f.from]) {
        const text = c.name + (c.class === "exact" ? "" : ` (${c.class})`) + (c.name === recommended[f.id] ? " – recommended" : "");
        add(f.control, "option", text).value = c.name;
      }
    }
    if (f.from || f !== typed && !f.error) f.control.value = now ?? "";
    f.control.placeholder = b === undefined && changed.profile ? "the profile's" : "";
    f.control.setAttribute("aria-invalid", f.error !== "");
    f.box.classList.toggle("changed", is);
    f.mark.textContent = mark(f, is);
    f.about$.textContent = "";
    const c = f.from && model[f.from].find((c) => c.name === now);
    if (c) add(f.about$, "span", c.class, "class " + (c.class === "exact" ? "" : "approximate"));
    f.about$.append(f.error ? "It must be " + f.error + "." : c && c.about ? c.about : f.about);
  }
  const n = Object.keys(changed).length;
  $("changes").textContent = n + " changed";
  $("changes").hidden = n === 0;
  $("recommended").disabled = n === 0 && !fields.some((f) => f.error);
}

// reset makes all settings the recommended ones.
export function reset() {
  changed = {};
  for (const f of fields) {
    f.error = "";
    f.control.value = ""; // also of what is no number
  }
  save();
  show();
}

// bad returns the first setting that is wrong.
export const bad = () => fields.find((f) => f.error);

// blockLength is how many positions a block will have.
export const blockLength = () => changed.block_length || recommended.block_length || 32;

// loose says what makes an answer another than the exact one, or "".
export function loose() {
  const chosen = fields.filter((f) => f.from).map((f) => model[f.from].find((c) => c.name === changed[f.id]));
  return chosen.filter((c) => c && c.class !== "exact").map((c) => `${c.class}: ${c.name}`).join(", ");
}

// request is what is asked of the server.
export function request(messages) {
  const {system, policy, ...rest} = changed;
  if (policy) rest.policy = {name: policy};
  return {
    model: model.id, messages: system ? [{role: "system", content: system}, ...messages] : messages,
    stream: true, stream_options: {include_usage: true, include_steps: true}, ...rest,
  };
}
