// The openai package for Node, unmodified, on sound and pictures: one JSON line says what it got.
// BASE_URL and API_KEY come from the environment; the deployments are hears, speaks and paints.
import OpenAI, { AzureOpenAI, toFile } from "openai";

const { BASE_URL, API_KEY } = process.env;
const recording = Buffer.alloc(300_000, 7);

async function exercise(client) {
  const file = await toFile(recording, "größe.wav");
  const heard = await client.audio.transcriptions.create({ file, model: "hears", language: "en" });
  const deltas = [];
  const again = await toFile(recording, "again.wav");
  for await (const event of await client.audio.transcriptions.create({ file: again, model: "hears", stream: true })) {
    deltas.push(event.type);
  }
  const speech = await client.audio.speech.create({ model: "speaks", input: "Hi.", voice: "alloy" });
  const drawn = await client.images.generate({ model: "paints", prompt: "A cat" });
  const picture = await toFile(Buffer.from("picture"), "a.png", { type: "image/png" });
  const edited = await client.images.edit({ model: "paints", image: [picture], prompt: "A cat" });
  const pictures = [];
  for await (const event of await client.images.generate({ model: "paints", prompt: "A cat", stream: true })) {
    pictures.push(event.type);
  }
  let refusal = null;
  try {
    await client.audio.transcriptions.create({ file: await toFile(recording, "a"), model: "hears", response_format: "x" });
  } catch (error) {
    refusal = { type: error.constructor.name, status: error.status, param: error.param };
  }
  return {
    heard: heard.text,
    deltas,
    spoken: (await speech.arrayBuffer()).byteLength,
    drawn: drawn.data[0].b64_json.length,
    edited: edited.data[0].b64_json.length,
    pictures,
    refusal,
  };
}

const options = { apiKey: API_KEY, maxRetries: 0 };
const result = {
  OpenAI: await exercise(new OpenAI({ baseURL: `${BASE_URL}/openai/v1/`, ...options })),
  AzureOpenAI: await exercise(new AzureOpenAI({ endpoint: BASE_URL, apiVersion: "2025-04-01-preview", ...options })),
};
console.log(JSON.stringify(result));
