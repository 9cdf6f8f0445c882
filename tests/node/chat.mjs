// The openai package for Node, unmodified, against a server: one JSON line says what it got.
// BASE_URL, API_KEY, MODEL and EMBEDDING_MODEL come from the environment; the CA through NODE_EXTRA_CA_CERTS.
import OpenAI, { AzureOpenAI } from "openai";

const { BASE_URL, API_KEY, MODEL, EMBEDDING_MODEL } = process.env;
const messages = [{ role: "user", content: "Name the capital city of France. Answer with one word." }];

async function exercise(client) {
  const request = { model: MODEL, messages, max_tokens: 24, temperature: 0, seed: 1 };
  const chat = await client.chat.completions.create(request);

  let text = "";
  let finish = null;
  let usage = null;
  const stream = await client.chat.completions.create({
    ...request,
    stream: true,
    stream_options: { include_usage: true },
  });
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? "";
    finish = chunk.choices[0]?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
  }

  const embeddings = await client.embeddings.create({ model: EMBEDDING_MODEL, input: ["a melt", "a mould"] });
  const models = await client.models.list();

  let refusal = null;
  try {
    await client.chat.completions.create({ ...request, model: "no-such-model" });
  } catch (error) {
    refusal = { type: error.constructor.name, status: error.status, code: error.code };
  }

  return {
    chat: { text: chat.choices[0].message.content, finish: chat.choices[0].finish_reason, usage: chat.usage },
    stream: { text, finish, usage },
    embeddings: embeddings.data.map((item) => item.embedding.length),
    models: models.data.map((item) => item.id),
    refusal,
  };
}

const result = {
  node: process.version,
  OpenAI: await exercise(new OpenAI({ baseURL: `${BASE_URL}/openai/v1/`, apiKey: API_KEY, maxRetries: 0 })),
  AzureOpenAI: await exercise(
    new AzureOpenAI({ endpoint: BASE_URL, apiKey: API_KEY, apiVersion: "2024-10-21", maxRetries: 0 }),
  ),
};
console.log(JSON.stringify(result));
