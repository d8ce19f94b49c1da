// Makes calls over one connection and prints the CPU time that they took and their latencies, warm-up left out.
// Usage: bench.mjs URL CALLS GO_FILE, URL with its path. Says `warm`, then waits for the file.
import fs from 'node:fs';
import https from 'node:https';

const [url, calls, go] = process.argv.slice(2);
const agent = new https.Agent({ keepAlive: true, maxSockets: 1, ca: fs.readFileSync(process.env.NODE_EXTRA_CA_CERTS) });
const order = { customer: 'example-17', items: [{ article: 'lamp', count: '2', note: 'measure' }] };
const chat = { model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'measure' }] };
const body = JSON.stringify(url.endsWith('/orders') ? order : chat);

function call() {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const request = https.request(url, { agent, method: 'POST', headers }, (answer) => {
      answer.resume();
      answer.on('end', () => (answer.statusCode === 200 ? resolve() : reject(new Error(answer.statusCode))));
    });
    request.on('error', reject);
    request.end(body);
  });
}

for (let n = 0; n < 50; n += 1) await call();
console.log('warm');
while (!fs.existsSync(go)) await new Promise((resolve) => { setTimeout(resolve, 20); });
const latencies = [];
const begun = process.cpuUsage();
for (let n = 0; n < Number(calls); n += 1) {
  const from = process.hrtime.bigint();
  await call();
  latencies.push(Number(process.hrtime.bigint() - from) / 1e9);
}
const { user, system } = process.cpuUsage(begun);
latencies.sort((a, b) => a - b);
const at = (share) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))];
console.log(JSON.stringify({ cpu: (user + system) / 1e6, calls: Number(calls), p50: at(0.5), p99: at(0.99) }));
agent.destroy();
