// A chat completions server over HTTP/2 with Node's own http2 module. Ends when its input does, or when it is told to.
// Usage: node http2_server.js CERTIFICATE KEY
const http2 = require('http2');
const fs = require('fs');

const [cert, key] = process.argv.slice(2).map((file) => fs.readFileSync(file));
const server = http2.createSecureServer({ cert, key, allowHTTP1: false });
let number = 0;

server.on('stream', (stream, headers) => {
  let text = '';
  stream.setEncoding('utf8');
  stream.on('data', (piece) => { text += piece; });
  stream.on('error', () => {});
  stream.on('end', () => {
    const asked = JSON.parse(text);
    number += 1;
    const id = `chatcmpl-node-${number}`;
    const usage = { prompt_tokens: asked.messages[0].content.length, completion_tokens: 7, total_tokens: asked.messages[0].content.length + 7 };
    if (!asked.stream) {
      const body = JSON.stringify({
        id, object: 'chat.completion', created: 1760000000, model: asked.model, usage,
        choices: [{ index: 0, message: { role: 'assistant', content: 'x'.repeat(40000) }, finish_reason: 'stop' }],
      });
      stream.respond({ ':status': 200, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
      stream.end(body);
      return;
    }
    stream.respond({ ':status': 200, 'content-type': 'text/event-stream' });
    const event = (choices, more) => stream.write(`data: ${JSON.stringify({
      id, object: 'chat.completion.chunk', created: 1760000000, model: asked.model, choices, ...more,
    })}\n\n`);
    for (let piece = 0; piece < 20; piece += 1) event([{ index: 0, delta: { content: `piece ${piece} ` }, finish_reason: null }]);
    event([{ index: 0, delta: {}, finish_reason: 'stop' }]);
    event([], { usage });
    stream.end('data: [DONE]\n\n');
  });
});

server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
