// An API for the tests of the proxy, on a free port of 127.0.0.1; real servers stand in front of it and verify credentials.
//
// usage: node app.mjs NODE_MODULES PAYLOAD
// Prints its address as the first line. PAYLOAD is a file that is given back. All paths begin with /api/:
//   echo      the method, the target, the type, length and SHA-256 of the body, and what the server in front says: who
//             calls, and by which protocol
//   payload   the file
//   gzip      some text, compressed; its digest in the header X-Digest
//   go        302 to landed, by an absolute address at the host that was called
//   landed    says so
//   socket    a WebSocket that gives back what it gets

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';

const [modules, file] = process.argv.slice(2);
const { default: ws } = await import(pathToFileURL(join(modules, 'ws/index.js')));
const payload = readFileSync(file);
const text = gzipSync('orders '.repeat(1000));
const digest = (data) => createHash('sha256').update(data).digest('hex');

const server = http.createServer(async (request, response) => {
  const { pathname } = new URL(request.url, 'http://api');
  const { headers } = request;
  const front = { 'X-Front-Connection': headers['x-front-connection'] ?? '' };
  const answer = (status, more, body) => response.writeHead(status, { ...front, ...more }).end(body);
  const hash = createHash('sha256');
  let length = 0;
  for await (const piece of request) {
    hash.update(piece);
    length += piece.length;
  }
  switch (pathname) {
    case '/api/echo': {
      const words = [request.method, request.url, headers['content-type'] ?? '-', length, hash.digest('hex')];
      return answer(200, { 'Content-Type': 'text/plain' }, `${words.join(' ')} by ${headers['x-front-user'] ?? '-'} at ${headers['x-front']}`);
    }
    case '/api/payload':
      return answer(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': payload.length },
        request.method === 'HEAD' ? undefined : payload);
    case '/api/gzip':
      return answer(200, { 'Content-Encoding': 'gzip', 'X-Digest': digest(text), 'Content-Type': 'text/plain' }, text);
    case '/api/go':
      return answer(302, { Location: `${headers['x-front-scheme']}://${headers.host}/api/landed` });
    case '/api/landed':
      return answer(200, {}, 'landed');
    default:
      return answer(404, {});
  }
});
new ws.WebSocketServer({ server, path: '/api/socket' }).on('connection', (socket) => {
  socket.on('message', (data, binary) => {
    if (String(data) === 'bye') socket.close(4001, 'as you wish');
    else socket.send(data, { binary });
  });
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
console.log(`127.0.0.1:${server.address().port}`);
