// The openai package for Node, unmodified, on what a server keeps: responses, conversations, files, stored chat
// completions, agents, assistants. Each is asked over https, in the project "default" and at the resource, with tokens
// of DefaultAzureCredential; trust comes from NODE_EXTRA_CA_CERTS. It notes where an answer is not the expected one, and
// prints, as one line of JSON, every exchange of the clients for whoever holds it against the specifications.
import { DefaultAzureCredential, getBearerTokenProvider } from "@azure/identity";
import assert from "node:assert/strict";
import OpenAI, { AzureOpenAI, BadRequestError, ConflictError, NotFoundError, toFile } from "openai";
import { standardTextFormat } from "openai/helpers/standard-schema";

const { FOREHEARTH_URL } = process.env;
const PROJECT = `${FOREHEARTH_URL}/api/projects/default`;
const UNKEPT = "Nobody keeps this.";
const model = "chat";
const token = getBearerTokenProvider(new DefaultAzureCredential(), "https://ai.azure.com/.default");
const exchanges = [];

/** fetch that keeps a copy of what came back, bodies of streams as the events they have. */
async function watched(url, init) {
  const answer = await fetch(url, init);
  const type = answer.headers.get("content-type") ?? "";
  const kept = { method: init.method.toUpperCase(), path: new URL(url).pathname, status: answer.status };
  if (type.startsWith("application/json")) exchanges.push({ ...kept, body: await answer.clone().json() });
  if (type.startsWith("text/event-stream")) exchanges.push({ ...kept, text: answer.clone().text().catch(() => "") });
  return answer;
}

const common = { maxRetries: 0, fetch: watched };
const clients = {
  project: new OpenAI({ baseURL: `${PROJECT}/openai/v1/`, apiKey: token, ...common }),
  resource: new OpenAI({ baseURL: `${FOREHEARTH_URL}/openai/v1/`, apiKey: token, ...common }),
  classic: new AzureOpenAI({
    endpoint: FOREHEARTH_URL,
    azureADTokenProvider: token,
    apiVersion: "2025-03-01-preview",
    ...common,
  }),
};

const PARAMETERS = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
const WEATHER = { type: "function", name: "get_weather", parameters: PARAMETERS, strict: true };
const CITY = {
  type: "object",
  properties: { city: { type: "string" }, people: { type: "integer" } },
  required: ["city", "people"],
};

async function all(pages) {
  const found = [];
  for await (const each of pages) found.push(each);
  return found;
}

/** The response once it has ended, as its pollers see it. */
async function ended(client, response) {
  while (["queued", "in_progress"].includes(response.status)) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    response = await client.responses.retrieve(response.id);
  }
  return response;
}

/** The same without what the package adds to its copies. */
function plain({ output_text, output_parsed, ...response }) {
  return response;
}

async function responses(client) {
  const first = await client.responses.create({ model, input: "My name is Ada.", instructions: "Be short." });
  assert.equal(first.output_text, "My name is Ada.");
  assert.deepEqual([first.status, first.instructions, first.store], ["completed", "Be short.", true]);
  const second = await client.responses.create({ model, input: "And now?", previous_response_id: first.id });
  assert.equal(second.previous_response_id, first.id);
  assert.ok(second.usage.input_tokens > first.usage.output_tokens + 2);
  assert.deepEqual(plain(await client.responses.retrieve(second.id)), plain(second));

  const input = ["One.", "Two.", "Three."].map((content) => ({ role: "user", content }));
  const third = await client.responses.create({ model, input });
  const pages = client.responses.inputItems.list(third.id, { order: "asc", limit: 2 });
  assert.deepEqual((await all(pages)).map((item) => item.content[0].text), ["One.", "Two.", "Three."]);
  const counted = await client.responses.inputTokens.count({ model, input });
  assert.ok(counted.input_tokens > 3);

  await client.responses.delete(first.id);
  await assert.rejects(client.responses.retrieve(first.id), NotFoundError);
  const lost = client.responses.create({ model, input: "And?", previous_response_id: first.id });
  await assert.rejects(lost, (error) => error instanceof BadRequestError && error.param === "previous_response_id");
  for (const stream of [false, true]) {
    const unkept = await client.responses.create({ model, input: UNKEPT, store: false, stream });
    const id = stream ? (await all(unkept)).at(-1).response.id : unkept.id;
    await assert.rejects(client.responses.retrieve(id), NotFoundError);
  }
}

async function streams(client) {
  const kinds = [];
  let text = "";
  const stream = await client.responses.create({ model, input: "Say this.", stream: true });
  let last;
  for await (const event of stream) {
    assert.equal(event.sequence_number, kinds.length);
    if (event.type === "response.output_text.delta") text += event.delta;
    kinds.push(event.type);
    last = event;
  }
  assert.equal(text, "Say this.");
  assert.deepEqual([...new Set(kinds)], [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
  ]);
  assert.deepEqual(plain(await client.responses.retrieve(last.response.id)), plain(last.response));
}

async function functions(client) {
  const question = { model, input: "The weather in Paris?", tools: [WEATHER] };
  const runner = client.responses.stream(question);
  const kinds = new Set();
  for await (const event of runner) kinds.add(event.type);
  const streamed = await runner.finalResponse();
  assert.ok(kinds.has("response.function_call_arguments.delta") && kinds.has("response.function_call_arguments.done"));
  assert.deepEqual(streamed.output[0].parsed_arguments, { city: "Paris" });
  const output = [{ type: "function_call_output", call_id: streamed.output[0].call_id, output: "sunny" }];
  const last = await client.responses.create({ model, input: output, previous_response_id: streamed.id });
  assert.equal(last.output_text, "It is sunny in Paris.");

  const validate = (value) => (Number.isInteger(value?.people) ? { value } : { issues: [{ message: "no people" }] });
  const city = standardTextFormat({ "~standard": { version: 1, vendor: "tests", validate } }, "city", { schema: CITY });
  const parsed = await client.responses.parse({ model, input: "Paris as JSON", text: { format: city } });
  assert.deepEqual(parsed.output_parsed, { city: "Paris", people: 2 });
}

async function background(client) {
  const queued = await client.responses.create({ model, input: "as JSON", background: true });
  assert.deepEqual([queued.status, queued.background, queued.output], ["queued", true, []]);
  const done = await ended(client, queued);
  assert.deepEqual([done.status, JSON.parse(done.output_text).people], ["completed", 2]);
  const begun = await client.responses.create({ model, input: "for ever", background: true });
  assert.equal((await client.responses.cancel(begun.id)).status, "cancelled");
  assert.equal((await client.responses.retrieve(begun.id)).status, "cancelled");

  const seen = [];
  for await (const event of await client.responses.create({ model, input: "slowly", background: true, stream: true })) {
    seen.push(event);
    if (seen.length === 6) break;
  }
  const { id } = seen[0].response;
  const rest = await client.responses.retrieve(id, { stream: true, starting_after: seen.at(-1).sequence_number });
  for await (const event of rest) seen.push(event);
  assert.deepEqual(seen.map((event) => event.sequence_number), [...seen.keys()]);
  assert.deepEqual([seen[0].type, seen.at(-1).type], ["response.created", "response.completed"]);
  assert.deepEqual(plain(seen.at(-1).response), plain(await client.responses.retrieve(id)));
}

async function conversations(client) {
  const said = ["one", "two", "three", "four", "five"].map((content) => ({ type: "message", role: "user", content }));
  const made = await client.conversations.create({ metadata: { topic: "demo" }, items: said.slice(0, 2) });
  await client.conversations.items.create(made.id, { items: said.slice(2) });
  const items = await all(client.conversations.items.list(made.id, { order: "asc", limit: 2 }));
  assert.deepEqual(items.map((item) => item.content[0].text), said.map((item) => item.content));
  assert.deepEqual(await client.conversations.items.retrieve(items[0].id, { conversation_id: made.id }), items[0]);
  await client.conversations.items.delete(items[0].id, { conversation_id: made.id });
  await client.responses.create({ model, input: "six", conversation: made.id });
  const now = await all(client.conversations.items.list(made.id, { limit: 3 }));
  assert.deepEqual(now.map((item) => item.content[0].text), ["six", "six", "five", "four", "three", "two"]);
  assert.deepEqual((await client.conversations.update(made.id, { metadata: { a: "b" } })).metadata, { a: "b" });
  assert.deepEqual((await client.conversations.retrieve(made.id)).metadata, { a: "b" });
  assert.ok((await client.conversations.delete(made.id)).deleted);
  await assert.rejects(client.conversations.retrieve(made.id), NotFoundError);
}

async function files(client) {
  const content = Buffer.from(Array.from({ length: 200_000 }, (_, position) => position % 251));
  const made = await client.files.create({ file: await toFile(content, "../../a.bin"), purpose: "user_data" });
  assert.deepEqual([made.bytes, made.purpose, made.status], [200_000, "user_data", "processed"]);
  assert.deepEqual(Buffer.from(await (await client.files.content(made.id)).arrayBuffer()), content);
  const text = await toFile(Buffer.from("It is about owls."), "note.txt");
  const note = await client.files.create({ file: text, purpose: "user_data" });
  assert.deepEqual((await all(client.files.list({ limit: 1 }))).map((each) => each.id), [note.id, made.id]);
  const parts = [{ type: "input_file", file_id: note.id }];
  const read = await client.responses.create({ model, input: [{ role: "user", content: parts }] });
  assert.match(read.output_text, /It is about owls\./);
  for (const each of [made, note]) assert.ok((await client.files.delete(each.id)).deleted);
  await assert.rejects(client.files.retrieve(made.id), NotFoundError);
}

async function storedCompletions(client) {
  const messages = [{ role: "user", content: "Hello!" }];
  const made = await client.chat.completions.create({ model, messages, store: true, metadata: { a: "b" } });
  const found = await client.chat.completions.retrieve(made.id);
  assert.deepEqual([found.choices, found.metadata], [made.choices, { a: "b" }]);
  const changed = await client.chat.completions.update(made.id, { metadata: { c: "d" } });
  assert.deepEqual(changed.metadata, { c: "d" });
  assert.deepEqual((await all(client.chat.completions.list({ metadata: { c: "d" } }))).map((each) => each.id), [made.id]);
  const said = await all(client.chat.completions.messages.list(made.id));
  assert.deepEqual(said.map((each) => each.content), ["Hello!"]);
  assert.ok((await client.chat.completions.delete(made.id)).deleted);
  await assert.rejects(client.chat.completions.retrieve(made.id), NotFoundError);
}

/** Agents are made by another package, and asked by this one. */
async function make(name, definition) {
  const answer = await fetch(`${PROJECT}/agents/${name}/versions?api-version=v1`, {
    method: "POST",
    headers: { authorization: `Bearer ${await token()}`, "content-type": "application/json" },
    body: JSON.stringify({ definition: { kind: "prompt", model, ...definition } }),
  });
  assert.equal(answer.status, 200, await answer.text());
  return { agent_reference: { type: "agent_reference", name } };
}

async function agents(client) {
  const structured_inputs = { who: { description: "Whom.", required: true } };
  const teller = await make("teller", { instructions: "You greet {{who}}.", tools: [WEATHER], structured_inputs });
  const ann = { ...teller, structured_inputs: { who: "Ann" } };
  const reference = { ...teller.agent_reference, version: "1" };
  const first = await client.responses.create({ input: "The weather in Paris?", ...ann });
  assert.deepEqual([first.instructions, first.agent_reference], ["You greet Ann.", reference]);
  const output = [{ type: "function_call_output", call_id: first.output[0].call_id, output: "sunny" }];
  const last = await client.responses.create({ input: output, previous_response_id: first.id, ...ann });
  assert.equal(last.output_text, "It is sunny in Paris.");
  assert.deepEqual(last.output[0].agent_reference, reference);

  const conversation = await client.conversations.create();
  const asked = { input: "Hello.", conversation: conversation.id, ...ann };
  const events = await all(await client.responses.create({ ...asked, stream: true }));
  assert.deepEqual([events.at(-1).type, events.at(-1).response.agent_reference], ["response.completed", reference]);
  const items = await all(client.conversations.items.list(conversation.id, { order: "asc" }));
  assert.deepEqual(items.map((item) => item.role), ["user", "assistant"]);
  const queued = await client.responses.create({ input: "Hello.", background: true, ...ann });
  assert.deepEqual((await ended(client, queued)).agent_reference, reference);
  await assert.rejects(client.responses.create({ input: "Hello.", ...teller }), BadRequestError);
  const nobody = { agent_reference: { type: "agent_reference", name: "nobody" } };
  await assert.rejects(client.responses.create({ input: "Hello.", ...nobody }), NotFoundError);

  const own = new OpenAI({
    baseURL: `${PROJECT}/agents/teller/endpoint/protocols/openai/`,
    defaultQuery: { "api-version": "v1" },
    apiKey: token,
    ...common,
  });
  const there = await own.responses.create({ input: "Hello.", structured_inputs: ann.structured_inputs });
  assert.deepEqual([there.output_text, there.agent_reference], ["Hello.", reference]);
  await own.responses.delete(there.id);
}

async function assistants(client) {
  const { threads } = client.beta;
  const { type, ...weather } = WEATHER;
  const helper = await client.beta.assistants.create({ model, tools: [{ type, function: weather }] });
  const thread = await threads.create({ messages: [{ role: "user", content: "The weather in Paris?" }] });
  const polled = { pollIntervalMs: 50 };
  const run = await threads.runs.createAndPoll(thread.id, { assistant_id: helper.id }, polled);
  assert.equal(run.status, "requires_action");
  const tool_outputs = run.required_action.submit_tool_outputs.tool_calls.map(({ id, function: called }) => ({
    tool_call_id: id,
    output: `sunny in ${JSON.parse(called.arguments).city}`,
  }));
  const done = await threads.runs.submitToolOutputsAndPoll(run.id, { thread_id: thread.id, tool_outputs }, polled);
  assert.equal(done.status, "completed");
  const [newest] = await all(threads.messages.list(thread.id));
  assert.equal(newest.content[0].text.value, "It is sunny in Paris.");
  const steps = await all(threads.runs.steps.list(run.id, { thread_id: thread.id, order: "asc" }));
  assert.deepEqual(steps.map((step) => step.type), ["tool_calls", "message_creation"]);

  await threads.messages.create(thread.id, { role: "user", content: "hello" });
  const names = [];
  let text = "";
  const stream = threads.runs.stream(thread.id, { assistant_id: helper.id });
  stream.on("event", ({ event }) => names.push(event)).on("textDelta", ({ value }) => (text += value));
  assert.equal((await stream.finalRun()).status, "completed");
  assert.equal(text, "Hello to you.");
  assert.deepEqual([...new Set(names)], [
    "thread.run.created",
    "thread.run.queued",
    "thread.run.in_progress",
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.message.created",
    "thread.message.in_progress",
    "thread.message.delta",
    "thread.message.completed",
    "thread.run.step.completed",
    "thread.run.completed",
  ]);
  const messages = [{ role: "user", content: "for ever" }];
  const begun = await threads.createAndRun({ assistant_id: helper.id, thread: { messages } });
  await threads.runs.cancel(begun.id, { thread_id: begun.thread_id });
  assert.equal((await threads.runs.poll(begun.id, { thread_id: begun.thread_id }, polled)).status, "cancelled");
  assert.ok((await threads.delete(thread.id)).deleted);
  assert.ok((await client.beta.assistants.delete(helper.id)).deleted);
}

const everywhere = Object.keys(clients);
const called = [...everywhere.map((name) => [functions, name]), [agents, "project"]];
called.push([assistants, "resource"], [assistants, "classic"]);
const others = [
  ...[responses, streams, background].flatMap((part) => everywhere.map((name) => [part, name])),
  ...[conversations, files, storedCompletions].flatMap((part) => ["project", "resource"].map((name) => [part, name])),
];
const passed = [];
const faults = {};

async function run([part, name]) {
  const title = `${part.name} ${name}`;
  await part(clients[name]).then(() => passed.push(title), (error) => (faults[title] = error.stack));
}

/** One after the other: whose model calls a function answers the next time it is asked. */
async function inTurns(parts) {
  for (const each of parts) await run(each);
}

await Promise.all([inTurns(called), ...others.map(run)]);
for (const each of exchanges) if (each.text) each.text = await each.text;
console.log(JSON.stringify({ passed, faults, exchanges }));
