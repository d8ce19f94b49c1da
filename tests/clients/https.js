// Streams chat completions with Node's own https module: runs on any Node, however old (OpenSSL 1.1.1 inside Node 16).
// Usage: node https.js URL CALLS
const https = require('https');
const fs = require('fs');

const [url, calls] = process.argv.slice(2);
const agent = new https.Agent({ keepAlive: true, ca: fs.readFileSync(process.env.NODE_EXTRA_CA_CERTS) });

function call(number) {
  return new Promise((resolve, reject) => {
    const body = JSON.stringify({
      model: 'gpt-4o-mini', stream: true, stream_options: { include_usage: true },
      messages: [{ role: 'user', content: `old node ${number}: why is the sky blue? äöü 日本` }],
    });
    const request = https.request(`${url}/v1/chat/completions`, {
      agent, method: 'POST', headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
    }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece) => { text += piece; });
      response.on('end', () => (text.includes('[DONE]') ? resolve() : reject(new Error('the stream ended early'))));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

(async () => {
  for (let number = 0; number < Number(calls); number += 1) await call(number);
  console.log(JSON.stringify({ ok: Number(calls), failed: 0, openssl: process.versions.openssl }));
})().catch((error) => { console.error(error); process.exit(1); });
