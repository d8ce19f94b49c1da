// Chat completions over HTTP/2 with Node's own http2 module, all on one connection, half of them streamed.
// Usage: node http2.js URL CALLS [FILE]
// With FILE, calls are made one after the other until FILE exists, then CALLS at once.
const http2 = require('http2');
const fs = require('fs');

const [target, calls, wait] = process.argv.slice(2);
const url = new URL(target);
const prefix = url.pathname.replace(/\/$/, '');
const session = http2.connect(url.origin, { ca: fs.readFileSync(process.env.NODE_EXTRA_CA_CERTS) });

function call(number) {
  return new Promise((resolve, reject) => {
    const stream = number % 2 === 0;
    const body = JSON.stringify({
      model: 'gpt-4o-mini', stream, ...(stream ? { stream_options: { include_usage: true } } : {}),
      messages: [{ role: 'user', content: `node ${number}: ${'äöü 日本 '.repeat(number)}` }],
    });
    const request = session.request({
      ':method': 'POST', ':path': `${prefix}/v1/chat/completions`, 'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    });
    let text = '';
    let status = 0;
    request.setEncoding('utf8');
    request.on('response', (head) => { status = head[':status']; });
    request.on('data', (piece) => { text += piece; });
    request.on('end', () => {
      const right = status === 200 && text.includes('[DONE]') === stream && text.length > 100;
      if (right) resolve(); else reject(new Error(`${status}: ${text}`));
    });
    request.on('error', reject);
    request.end(body);
  });
}

(async () => {
  let before = 0;
  while (wait && !(before && fs.existsSync(wait))) {
    await call(before);
    before += 1;
    console.log(`call ${before}`);
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
  await Promise.all(Array.from({ length: Number(calls) }, (_, number) => call(number)));
  session.close();
  console.log(JSON.stringify({ ok: Number(calls), before, connections: 1 }));
})().catch((error) => { console.error(error); process.exit(1); });
