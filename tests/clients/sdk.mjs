// Calls an LLM API through the official Node SDKs, unmodified, and checks every answer.
// Usage: node sdk.mjs API --url URL [--stream] [--calls N] [--concurrency N] [--tool] [--name TEXT]
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [api, ...rest] = process.argv.slice(2);
const options = { calls: '1', concurrency: '1', name: 'call' };
while (rest.length) {
  const name = rest.shift().replace(/^--/, '');
  options[name] = name === 'stream' || name === 'tool' ? true : rest.shift();
}
// The packages live in a folder of the build's, not beside this file.
const require = createRequire(pathToFileURL(`${process.env.WIRESPAN_NODE_MODULES}/here.js`));
const schema = { type: 'object', properties: { query: { type: 'string' }, limit: { type: 'integer' } }, required: ['query'] };

function client() {
  if (api === 'messages') {
    const { Anthropic } = require('@anthropic-ai/sdk');
    return new Anthropic({ apiKey: 'sk-ant-test-secret', baseURL: options.url, maxRetries: 0, timeout: 120_000 });
  }
  const { OpenAI } = require('openai');
  return new OpenAI({ apiKey: 'sk-test-secret', baseURL: `${options.url}/v1`, maxRetries: 0, timeout: 120_000 });
}

function call(client, number) {
  const text = `${options.name} ${number}: why is the sky blue? äöü 日本`;
  const stream = Boolean(options.stream);
  if (api === 'chat') {
    const body = { model: 'gpt-4o-mini', messages: [{ role: 'user', content: text }], stream };
    if (stream) body.stream_options = { include_usage: true };
    if (options.tool) body.tools = [{ type: 'function', function: { name: 'lookup', parameters: schema } }];
    return client.chat.completions.create(body);
  }
  if (api === 'responses') {
    const body = { model: 'gpt-4.1-mini', input: text, stream };
    if (options.tool) body.tools = [{ type: 'function', name: 'lookup', parameters: schema, strict: false }];
    return client.responses.create(body);
  }
  if (api === 'embeddings') {
    return client.embeddings.create({ model: 'text-embedding-3-small', input: [text, 'second'] });
  }
  const body = { model: 'claude-haiku-4-5', max_tokens: 1024, messages: [{ role: 'user', content: text }], stream };
  if (options.tool) body.tools = [{ name: 'lookup', input_schema: schema }];
  return client.messages.create(body);
}

async function check(answer) {
  if (options.stream) {
    let ended = false;
    for await (const event of answer) {
      ended ||= Boolean(event.usage && api === 'chat') || ['response.completed', 'message_stop'].includes(event.type);
    }
    if (!ended) throw new Error('the stream ended early');
    return;
  }
  const good = {
    chat: () => ['stop', 'tool_calls'].includes(answer.choices[0].finish_reason),
    responses: () => answer.status === 'completed',
    embeddings: () => answer.data.length === 2 && answer.data[0].embedding.length === 256,
    messages: () => ['end_turn', 'tool_use'].includes(answer.stop_reason),
  }[api]();
  if (!good) throw new Error(`unexpected answer: ${JSON.stringify(answer)}`);
}

const results = { ok: 0, failed: 0, longest: 0 };
const shared = client();
let next = 0;
async function worker() {
  while (next < Number(options.calls)) {
    const number = next++;
    const begun = process.hrtime.bigint();
    try {
      await check(await call(shared, number));
      results.ok += 1;
    } catch (error) {
      console.error(`${error.constructor.name}: ${error.message} ${error.cause ?? ''}`);
      results.failed += 1;
    }
    results.longest = Math.max(results.longest, Number(process.hrtime.bigint() - begun) / 1e9);
  }
}
await Promise.all(Array.from({ length: Number(options.concurrency) }, worker));
console.log(JSON.stringify(results));
process.exit(results.failed === 0 ? 0 : 1);
