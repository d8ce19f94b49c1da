// Holds Realtime sessions over WebSocket with the `ws` package, and checks every answer.
// Usage: node client.mjs --url wss://HOST:PORT [--compression none|takeover] [--sessions N] [--turns N]
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const options = { compression: 'takeover', sessions: '1', turns: '3' };
const rest = process.argv.slice(2);
while (rest.length) options[rest.shift().replace(/^--/, '')] = rest.shift();
// The packages live in a folder of the build's, not beside this file.
const require = createRequire(pathToFileURL(`${process.env.WIRESPAN_NODE_MODULES}/here.js`));
const WebSocket = require('ws');

function session() {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${options.url}/v1/realtime?model=gpt-realtime`, {
      perMessageDeflate: options.compression === 'none' ? false : { threshold: 64 },
      headers: { Authorization: 'Bearer sk-test-secret' },
    });
    let turn = 0;
    const ask = () => {
      const content = [{ type: 'input_text', text: 'why is the sky blue? äöü 日本 '.repeat(40) }];
      socket.send(JSON.stringify({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content } }));
      socket.send(JSON.stringify({ type: 'response.create', response: { instructions: `${turn}: be brief` } }));
    };
    socket.on('message', (data) => {
      const { type } = JSON.parse(data);
      if (type === 'session.created') ask();
      if (type === 'error') reject(new Error(String(data)));
      if (type === 'response.done') {
        turn += 1;
        if (turn < Number(options.turns)) ask();
        else socket.close(1000);
      }
    });
    socket.on('error', reject);
    socket.on('close', resolve);
  });
}

await Promise.all(Array.from({ length: Number(options.sessions) }, session));
