// A WebSocket client, by the npm package ws.
// usage: node socket.mjs NODE_MODULES URL: URL begins with ws://

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, url] = process.argv.slice(2);
const { default: WebSocket } = await import(pathToFileURL(join(modules, 'ws/index.js')));
const digest = (data) => createHash('sha256').update(data).digest('hex');

const socket = new WebSocket(url, { headers: { 'X-User': 'ada' } });
await once(socket, 'open');
socket.send('grüß dich');
console.log('text', String((await once(socket, 'message'))[0]));
const bytes = Buffer.alloc(300_000, 'countersign');
socket.send(bytes);
const [data, binary] = await once(socket, 'message');
console.log('binary', binary, digest(data) === digest(bytes));
socket.send('bye');
const [code, reason] = await once(socket, 'close');
console.log('closed', code, String(reason));
