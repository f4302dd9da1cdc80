// An API that lets requests with an HTTP message signature in, which http-message-signatures from npm verifies; on a free port of 127.0.0.1.
//
// usage: node verify.mjs NODE_MODULES CONFIG.json
// Prints its address as the first line. CONFIG (see verifier.rs, which writes it):
//   key_id         the one key that it knows
//   key            its public half as PEM, or the secret
//   algorithm      its algorithm
//   components     those that a signature must cover
//   max_age        in seconds
// Answers 200 to a good request, 401 and the library's word otherwise. The library leaves the body's digest to its users.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [modules, file] = process.argv.slice(2);
const { createVerifier, httpbis } = createRequire(join(modules, 'x.js'))('http-message-signatures');
const config = JSON.parse(readFileSync(file, 'utf8'));
const verifier = createVerifier(config.key, config.algorithm);

const key = { id: config.key_id, algs: [config.algorithm], verify: verifier };
const rules = {
  keyLookup: ({ keyid }) => (keyid === config.key_id ? key : null),
  requiredFields: config.components,
  requiredParams: ['created', 'keyid'],
  maxAge: config.max_age ?? 60,
  all: true,
};

function digestIsWrong(headers, body) {
  const [, hash, value] = /^(sha-256|sha-512)=:(.*):$/.exec(headers['content-digest'] ?? '') ?? [];
  return body.length > 0 && createHash(hash?.replace('-', '') ?? 'sha256').update(body).digest('base64') !== value;
}

async function judge(request, body) {
  const url = `http://${request.headers.host}${request.url}`;
  const good = await httpbis.verifyMessage(rules, { method: request.method, url, headers: request.headers });
  if (good !== true) throw new Error(good === null ? 'no signature' : 'the signature is wrong');
  if (digestIsWrong(request.headers, body)) throw new Error('the digest is wrong');
}

const server = http.createServer(async (request, response) => {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  try {
    await judge(request, Buffer.concat(pieces));
    response.writeHead(200).end('in');
  } catch (refusal) {
    response.writeHead(401).end(`${refusal.name}: ${refusal.message}`);
  }
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
