// What is asked of the server, and how it answers.
import {kept} from "./elements.js";

const tab = () => sessionStorage;
let key = kept(tab, "llada.key") || "";

// useKey has requests bring a key until the tab is closed.
export function useKey(k) {
  key = k;
  kept(tab, "llada.key", k);
}

// ask is fetch, with errors in words.
export async function ask(path, options) {
  const headers = {...options.headers};
  if (key) headers.Authorization = "Bearer " + key;
  let r;
  try {
    r = await fetch(path, {cache: "no-store", ...options, headers});
  } catch (error) {
    throw error.name === "AbortError" ? error : new Error("The server cannot be reached. Does it still run?");
  }
  if (r.ok) return r;
  let text = `The server answered ${r.status} ${r.statusText}`;
  try { text = (await r.json()).error.message || text; } catch { /* the status has to do */ }
  throw Object.assign(new Error(text), {status: r.status});
}

// events are the data of server-sent events. Chunks end anywhere, within characters too.
export async function* events(stream) {
  const reader = stream.getReader(), decoder = new TextDecoder();
  let buffer = "", data = [];
  try {
    for (;;) {
      const {done, value} = await reader.read();
      buffer += done ? decoder.decode() : decoder.decode(value, {stream: true});
      if (buffer.length > 1 << 22 || data.length > 1000) throw new Error("The server's answer has a line without an end.");
      const ends = /\r\n|\n|\r(?!$)/g; // a last \r may be half of an end
      let from = 0;
      for (let end; (end = ends.exec(buffer)); from = ends.lastIndex) {
        const line = buffer.slice(from, end.index);
        if (line.startsWith("data:")) data.push(line.slice(line[5] === " " ? 6 : 5));
        else if (line === "" && data.length) yield data.splice(0).join("\n");
      }
      buffer = buffer.slice(from);
      if (done) return;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
