// One client of the matrix in JavaScript, for Node, Bun and Deno: `fetch` or `http2` (Node's module of that name).
// Usage: client.mjs KIND URL CALLS CONCURRENT SIZE [FIRST]
// Makes CALLS calls of the API at URL, CONCURRENT at a time, with prompts of SIZE bytes; every second one is streamed. FIRST is called once
// before them. Prints `ok CALLS`.
import process from 'node:process';
import fs from 'node:fs';

const [kind, url, calls, concurrent, size, first] = process.argv.slice(2);

function body(number) {
  const content = `${kind} ${number} äöü ${'x'.repeat(Number(size))}`;
  return JSON.stringify({ model: 'gpt-4o-mini', ...(number % 2 ? { stream: true } : {}), messages: [{ role: 'user', content }] });
}

function check(status, text, number) {
  if (status !== 200 || (number % 2 && !text.includes('[DONE]'))) throw new Error(`${status}: ${text.slice(0, 200)}`);
}

async function withFetch(target, number) {
  const headers = { 'content-type': 'application/json', authorization: 'Bearer sk-test-secret' };
  const answer = await fetch(target, { method: 'POST', headers, body: body(number) });
  check(answer.status, await answer.text(), number);
}

let session;
async function withHttp2(target, number) {
  const { connect } = await import('node:http2');
  const { origin, pathname } = new URL(target);
  session ??= connect(origin, { ca: fs.readFileSync(process.env.NODE_EXTRA_CA_CERTS) });
  const bytes = Buffer.from(body(number));
  const request = session.request({ ':method': 'POST', ':path': pathname, 'content-type': 'application/json', 'content-length': bytes.length });
  let status = 0;
  const pieces = [];
  request.on('response', (head) => { status = head[':status']; });
  request.on('data', (piece) => pieces.push(piece));
  await new Promise((resolve, reject) => {
    request.on('end', resolve);
    request.on('error', reject);
    request.end(bytes);
  });
  check(status, Buffer.concat(pieces).toString(), number);
}

const call = kind === 'http2' ? withHttp2 : withFetch;
if (first) await call(first, 0);
let next = 0;
const worker = async () => {
  while (next < Number(calls)) {
    const number = next;
    next += 1;
    await call(url, number);
  }
};
await Promise.all(Array.from({ length: Number(concurrent) }, worker));
session?.close();
console.log(`ok ${calls}`);
