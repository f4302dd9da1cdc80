// The itinerary of tests/tests/proxy_clients.rs with Node's fetch and its http module.
// usage: node client.mjs URL PAYLOAD: URL is a connector's at the proxy, PAYLOAD a file of 5 MB.

import { createHash } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import http from 'node:http';

const [url, payload] = process.argv.slice(2);
const digest = (data) => createHash('sha256').update(data).digest('hex');
const user = { 'X-User': 'ada' };

async function call(method, path, { headers, ...more } = {}) {
  const answer = await fetch(url + path, { method, headers: { ...user, ...headers }, ...more });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer;
}

// With the http module, which gives bodies as they come.
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const ports = new Set();
function raw(path, headers) {
  return new Promise((resolve, reject) => {
    http.get(url + path, { agent, headers: { ...user, ...headers } }, async (answer) => {
      ports.add(answer.socket.localPort);
      resolve([answer.headers, Buffer.concat(await answer.toArray())]);
    }).on('error', reject);
  });
}

console.log('get', await (await call('GET', '/echo?q=a%20b&x=1')).text());
const json = { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ n: 1 }) };
console.log('post', await (await call('POST', '/echo', json)).text());
const binary = { headers: { 'Content-Type': 'application/octet-stream' } };
const stream = { ...binary, body: createReadStream(payload), duplex: 'half' };
console.log('put', await (await call('PUT', '/echo', stream)).text());
const bytes = { ...binary, body: readFileSync(payload) };
console.log('upload', await (await call('POST', '/echo', bytes)).text());
console.log('download', digest(Buffer.from(await (await call('GET', '/payload')).arrayBuffer())));
const [headers, body] = await raw('/gzip', { 'Accept-Encoding': 'gzip' });
console.log('gzip', headers['content-encoding'], digest(body));
const head = await call('HEAD', '/payload');
console.log('head', head.status, head.headers.get('content-length'));
const landed = await call('GET', '/go');
console.log('redirect', landed.url, await landed.text());
await raw('/echo');
await raw('/payload');
console.log('connections', ports.size);
agent.destroy();
