// Uses servers as any program that has OpenAI's library would, and prints what it saw as
// JSON: node chat.mjs KEY URL BUSY ENDLESS, of which BUSY refuses all and ENDLESS never
// comes to an end.
import OpenAI from "openai";

const [key, url, busy, endless] = process.argv.slice(2);
const client = (baseURL, apiKey = key) => new OpenAI({ apiKey, baseURL: baseURL + "/v1", maxRetries: 0 });
const ai = client(url);
const messages = [{ role: "user", content: "Hello" }];
const model = "tiny";
const seen = {};

// failure returns the class of the error that a call ends in, and what it says.
async function failure(call) {
  try {
    await call();
  } catch (e) {
    return { class: e.constructor.name, status: e.status, code: e.code, param: e.param, type: e.type, retry: e.headers?.get("retry-after") ?? null };
  }
  return { class: "none" };
}

const chat = await ai.chat.completions.create({ model, messages, max_tokens: 64, temperature: 0 });
seen.chat = { text: chat.choices[0].message.content, role: chat.choices[0].message.role, finish: chat.choices[0].finish_reason, usage: chat.usage };

const stream = await ai.chat.completions.create({
  model, messages, max_tokens: 64, stream: true, threshold: 0.95, block_length: 32,
  stream_options: { include_usage: true, include_steps: true },
});
seen.stream = { text: "", steps: 0 };
for await (const chunk of stream) {
  seen.stream.text += chunk.choices[0]?.delta.content ?? "";
  seen.stream.finish = chunk.choices[0]?.finish_reason ?? seen.stream.finish;
  seen.stream.usage = chunk.usage ?? seen.stream.usage;
  seen.stream.steps += chunk.llada?.step ? 1 : 0;
}

// The library's own way of putting a stream together.
const runner = ai.chat.completions.stream({ model, messages, max_tokens: 64 });
seen.final = { text: await runner.finalContent() };

const completion = await ai.completions.create({ model, prompt: [1, 2, 3], max_tokens: 8 });
seen.completion = { object: completion.object, total: completion.usage.total_tokens };
seen.completionStream = { text: "" };
for await (const chunk of await ai.completions.create({ model, prompt: "Hello", max_tokens: 8, stream: true })) {
  seen.completionStream.text += chunk.choices[0].text;
  seen.completionStream.finish = chunk.choices[0].finish_reason;
}

seen.models = [];
for await (const m of ai.models.list()) seen.models.push(m.id);
seen.model = (await ai.models.retrieve(model)).llada.settings.block_length;

seen.errors = {
  key: await failure(() => client(url, "wrong").models.list()),
  setting: await failure(() => ai.chat.completions.create({ model, messages, threshold: 2 })),
  misspelt: await failure(() => ai.chat.completions.create({ model, messages, treshold: 0.5 })),
  tools: await failure(() => ai.chat.completions.create({ model, messages, tools: [{ type: "function", function: { name: "f" } }] })),
  model: await failure(() => ai.chat.completions.create({ model: "other", messages })),
  busy: await failure(() => client(busy).chat.completions.create({ model, messages })),
};

const long = await client(endless).chat.completions.create({ model, messages, stream: true });
let chunks = 0;
for await (const _ of long) {
  if (++chunks === 2) long.controller.abort(); // the role, and the first text
}
seen.aborted = { chunks };

console.log(JSON.stringify(seen));
