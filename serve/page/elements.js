// Elements of the page, and texts for them. What a model or a server says is set as text
// only; the page's policy has the browser refuse anything else.

export const $ = (id) => document.getElementById(id);

// add makes an element.
export function add(parent, tag, text, name) {
  const e = document.createElement(tag);
  if (text !== undefined) e.textContent = text;
  if (name) e.className = name;
  parent.append(e);
  return e;
}

// oneLine is a text of the server as an error.
export const oneLine = (text) => String(text).replace(/\s+/g, " ").slice(0, 500);

// visible is a token as it can be quoted: what has no shape of its own gets one.
export const visible = (text) => text.replace(/\n/g, "↵").replace(/\t/g, "⇥").replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "\ufffd");

// kept reads what a storage has under a name, or sets it, or removes it if the value is
// null. A storage that the browser forbids has nothing.
export function kept(store, name, value) {
  try {
    if (value === undefined) return store().getItem(name);
    if (value === null) store().removeItem(name); else store().setItem(name, value);
  } catch { /* then it is not kept */ }
  return null;
}
