// Vercel's AI SDK: RAG, tools, stream, failing call; arguments: scenario, major version of `ai`.
import { appendFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [scenario, major] = process.argv.slice(2);
const require = createRequire(process.env.LIVE_NODE_ROOT + '/package.json');
const load = async (name) => import(pathToFileURL(require.resolve(name)).href);
const { trace } = await load('@opentelemetry/api');
const { NodeTracerProvider, BatchSpanProcessor } = await load('@opentelemetry/sdk-trace-node');
const { OTLPTraceExporter } = await load('@opentelemetry/exporter-trace-otlp-' + (process.env.LIVE_PROTOCOL === 'json' ? 'http' : 'proto'));
const { resourceFromAttributes } = await load('@opentelemetry/resources');
const ai = await load('ai');
const { createOpenAI } = await load('@ai-sdk/openai');
const { z } = await load('zod');

const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ 'service.name': 'rag-demo' }),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url: process.env.LIVE_COLLECTOR + '/v1/traces' }))],
});
provider.register();
const telemetry = { isEnabled: true, functionId: 'rag-query', metadata: { sessionId: 'sess-42', userId: 'user-7', tags: ['rag', 'prod'] } };
let common = { experimental_telemetry: telemetry, maxRetries: 0 };
if (Number(major) >= 7) {
  const { LegacyOpenTelemetry, OpenTelemetry } = await load('@ai-sdk/otel');
  ai.registerTelemetry(new OpenTelemetry());
  common = { telemetry: { isEnabled: true, functionId: 'rag-query' }, maxRetries: 0 };
}
const note = (what, facts) =>
  appendFileSync(process.env.LIVE_TRUTH, JSON.stringify({ at: Number(BigInt(Date.now()) * 1000000n), what, ...facts }) + '\n');
const openai = createOpenAI({ baseURL: process.env.LIVE_MODEL_URL + '/v1', apiKey: 'sk-local' });
const model = (name) => openai.chat(name);
const question = 'What is the capital of France?';
const getWeather = ai.tool({
  description: 'The weather in a city.',
  [Number(major) >= 5 ? 'inputSchema' : 'parameters']: z.object({ city: z.string() }),
  execute: async ({ city }) => {
    await new Promise((r) => setTimeout(r, 5));
    const result = { Paris: '18C sunny in Paris', Oslo: '3C snow in Oslo' }[city];
    note('tool', { name: 'get_weather', arguments: { city }, result });
    await new Promise((r) => setTimeout(r, 5));
    return result;
  },
});
const many = Number(major) >= 5 ? { stopWhen: (ai.stepCountIs ?? ai.isStepCount)(3) } : { maxSteps: 3 };
const context = 'Context:\nParis is the capital of France.\nBerlin is the capital of Germany.\n\nQuestion: ' + question;

const runs = {
  rag: async () => {
    const embedder = openai.textEmbeddingModel ? openai.textEmbeddingModel('text-embedding-3-small') : openai.embedding('text-embedding-3-small');
    await trace.getTracer('app').startActiveSpan('rag_query', async (span) => {
      await ai.embed({ ...common, model: embedder, value: question });
      await ai.embedMany({ ...common, model: embedder, values: ['first text', 'second text'] });
      const said = await ai.generateText({ ...common, model: model('gpt-4o-mini'), system: 'Answer from the context.', prompt: context, temperature: 0.2 });
      console.log(said.text);
      span.end();
    });
  },
  tools: async () => {
    const said = await ai.generateText({ ...common, ...many, model: model('gpt-4o-mini'), prompt: 'What is the weather in Paris and in Oslo?', tools: { get_weather: getWeather } });
    console.log(said.text);
  },
  stream: async () => {
    const said = ai.streamText({ ...common, model: model('gpt-4o-mini'), messages: [{ role: 'user', content: question }] });
    for await (const piece of said.textStream) process.stdout.write(piece);
  },
  object: async () => {
    const said = await ai.generateObject({ ...common, model: model('gpt-4o-mini'), schema: z.object({ answer: z.string() }), prompt: 'Answer as JSON: ' + question }).catch((e) => console.log('failed as meant', e.name));
    console.log(said?.object);
  },
  error: async () => {
    await ai.generateText({ ...common, model: model('gpt-broken'), prompt: question }).catch((e) => console.log('failed as meant', e.name));
  },
};
await runs[scenario]();
await provider.forceFlush();
await provider.shutdown();
