// OpenAI's Node client, traced by the instrumentation that argument 2 names: openinference, openllmetry or langfuse.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [scenario, instrumentation] = process.argv.slice(2);
const require = createRequire(process.env.LIVE_NODE_ROOT + '/package.json');
const load = async (name) => import(pathToFileURL(require.resolve(name)).href);
const { NodeTracerProvider, BatchSpanProcessor } = await load('@opentelemetry/sdk-trace-node');
const { OTLPTraceExporter } = await load('@opentelemetry/exporter-trace-otlp-http'); // OTLP/JSON
const { resourceFromAttributes } = await load('@opentelemetry/resources');
let { OpenAI } = await load('openai');

const exporter = new OTLPTraceExporter({ url: process.env.LIVE_COLLECTOR + '/v1/traces' });
let processor = new BatchSpanProcessor(exporter);
if (instrumentation === 'langfuse') {
  const { LangfuseSpanProcessor } = await load('@langfuse/otel');
  processor = new LangfuseSpanProcessor({ baseUrl: process.env.LIVE_COLLECTOR, publicKey: 'pk-lf-local', secretKey: 'sk-lf-local' });
}
const provider = new NodeTracerProvider({ resource: resourceFromAttributes({ 'service.name': 'rag-demo' }), spanProcessors: [processor] });
provider.register();
let wrap = (client) => client;
if (instrumentation === 'openinference') {
  const { OpenAIInstrumentation } = await load('@arizeai/openinference-instrumentation-openai');
  const made = new OpenAIInstrumentation();
  made.setTracerProvider(provider);
  made.manuallyInstrument(OpenAI);
} else if (instrumentation === 'openllmetry') {
  const { OpenAIInstrumentation } = await load('@traceloop/instrumentation-openai');
  const made = new OpenAIInstrumentation({ exceptionLogger: console.error });
  made.setTracerProvider(provider);
  made.manuallyInstrument(OpenAI);
} else {
  const { observeOpenAI } = await load('@langfuse/openai');
  wrap = (client) => observeOpenAI(client);
}

const client = wrap(new OpenAI({ baseURL: process.env.LIVE_MODEL_URL + '/v1', apiKey: 'sk-local', maxRetries: 0 }));
const question = 'What is the capital of France?';
const tools = [
  {
    type: 'function',
    function: {
      name: 'get_weather',
      description: 'The weather in a city.',
      parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
    },
  },
];
const runs = {
  rag: async () => {
    await client.embeddings.create({ model: 'text-embedding-3-small', input: question });
    const messages = [
      { role: 'system', content: 'Answer from the context.' },
      { role: 'user', content: 'Context:\nParis is the capital of France.\n\nQuestion: ' + question },
    ];
    await client.chat.completions.create({ model: 'gpt-4o-mini', messages, temperature: 0.2, max_tokens: 99 });
  },
  tools: async () => {
    const messages = [{ role: 'user', content: 'What is the weather in Paris and in Oslo?' }];
    const first = await client.chat.completions.create({ model: 'gpt-4o-mini', messages, tools });
    messages.push({ role: 'assistant', tool_calls: first.choices[0].message.tool_calls });
    for (const call of first.choices[0].message.tool_calls) {
      messages.push({ role: 'tool', tool_call_id: call.id, content: '18C sunny in ' + JSON.parse(call.function.arguments).city });
    }
    await client.chat.completions.create({ model: 'gpt-4o-mini', messages, tools });
  },
  stream: async () => {
    const chunks = await client.chat.completions.create({
      model: 'gpt-4o-mini',
      messages: [{ role: 'user', content: question }],
      stream: true,
      stream_options: { include_usage: true },
    });
    for await (const _ of chunks);
    await client.chat.completions
      .create({ model: 'gpt-broken', messages: [{ role: 'user', content: question }] })
      .catch((e) => console.log('failed as meant', e.name));
  },
};
await runs[scenario]();
await new Promise((resolve) => setTimeout(resolve, 200));
await provider.forceFlush();
await provider.shutdown();
