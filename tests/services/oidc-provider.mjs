// A real OAuth 2.0 / OpenID provider for the tests: oidc-provider from npm, on a free port of 127.0.0.1.
//
// usage: node oidc-provider.mjs NODE_MODULES CONFIG.json
// Prints its issuer URL as the first line. CONFIG (see oidc_provider.rs, which writes it):
//   clients            client metadata as oidc-provider takes it; `public_key_pem` becomes `jwks`
//   resources          { "https://api.example": { scope, audience?, lifetime?, alg? } }: JWT access tokens
//   assertion_issuers  [{ issuer, alg, public_key_pem }] for the grant of RFC 7523 section 2.1
//   rotate             a refresh token is good for one use (default: true)
//   lifetime           seconds of an access token (default: 600)
//   tls                { certificate, key, ca? }, PEM
//   mtls               clients are proven by certificates of `tls.ca` (RFC 8705) at a second address, which the metadata name
//                      as alias; `client_certificate_subject` of a client is the subject that its certificate has to have
//   dpop_nonce         DPoP proofs need one of our nonces (RFC 9449)
// POST /test/refresh-token { client_id, scope, resource?, account } hands out what a login would have left behind.

import { createPublicKey, randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, file] = process.argv.slice(2);
const load = (path) => import(pathToFileURL(join(modules, path)));
const { default: Provider, errors } = await load('oidc-provider/lib/index.js');
const jose = await load('jose/dist/webapi/index.js');
const config = JSON.parse(readFileSync(file, 'utf8'));
const lifetime = config.lifetime ?? 600;
const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

const secure = (requestCert) => https.createServer({ cert: config.tls.certificate, key: config.tls.key,
  ca: config.tls.ca, requestCert, rejectUnauthorized: false });
const server = config.tls ? secure(Boolean(config.tls.ca) && !config.mtls) : http.createServer();
const alias = config.mtls ? secure(true) : undefined;
const listen = (one) => new Promise((listening) => one.listen(0, '127.0.0.1', listening));
await listen(server);
if (alias) await listen(alias);
const issuer = `${config.tls ? 'https' : 'http'}://127.0.0.1:${server.address().port}`;

const jwk = (pem, more) => ({ ...createPublicKey(pem).export({ format: 'jwk' }), ...more });
const clients = config.clients.map(({ public_key_pem: pem, public_key_id: kid, client_certificate_subject: subject,
  ...client }) => ({
  redirect_uris: [],
  response_types: [],
  ...client,
  ...(subject && { tls_client_auth_subject_dn: subject }),
  ...(pem && { jwks: { keys: [jwk(pem, kid && { kid })] } }),
}));

const keys = await Promise.all(['RS256', 'ES256'].map(async (alg) => {
  const { privateKey } = await jose.generateKeyPair(alg, { extractable: true });
  return { ...await jose.exportJWK(privateKey), alg, kid: randomUUID(), use: 'sig' };
}));

const resources = config.resources ?? {};

function getResourceServerInfo(ctx, resource) {
  const found = resources[resource];
  if (!found) throw new errors.InvalidTarget();
  return {
    scope: found.scope ?? '',
    audience: found.audience ?? resource,
    accessTokenTTL: found.lifetime ?? lifetime,
    accessTokenFormat: 'jwt',
    jwt: { sign: { alg: found.alg ?? 'RS256' } },
  };
}

const accessTokenLifetime = (ctx, token) => token.resourceServer?.accessTokenTTL ?? lifetime;
const provider = new Provider(issuer, {
  clients,
  jwks: { keys },
  cookies: { keys: [randomUUID()] },
  scopes: ['openid', 'offline_access', ...(config.scopes ?? [])],
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  rotateRefreshToken: config.rotate ?? true,
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt', 'none',
    ...(config.mtls ? ['tls_client_auth', 'self_signed_tls_client_auth'] : [])],
  ttl: { AccessToken: accessTokenLifetime, ClientCredentials: accessTokenLifetime, RefreshToken: 86400, Grant: 86400 },
  ...(alias && {
    discovery: { mtls_endpoint_aliases: { token_endpoint: `https://127.0.0.1:${alias.address().port}/token` } },
  }),
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    dPoP: {
      enabled: true,
      ...(config.dpop_nonce && { nonceSecret: randomBytes(32), requireNonce: () => true }),
    },
    ...(config.mtls && {
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        selfSignedTlsClientAuth: true,
        tlsClientAuth: true,
        getCertificate: (ctx) => ctx.socket.getPeerX509Certificate?.(),
        certificateAuthorized: (ctx) => ctx.socket.authorized,
        certificateSubjectMatches: (ctx, property, expected) =>
          property === 'tls_client_auth_subject_dn' && ctx.socket.getPeerX509Certificate().subject === expected,
      },
    }),
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      useGrantedResource: () => true,
      getResourceServerInfo,
    },
  },
});
provider.on('server_error', (ctx, error) => console.error(error));

// RFC 7523 section 2.1: an assertion of a known issuer, for us, instead of a login.
provider.registerGrantType(jwtBearer, async (ctx) => {
  const { client, params } = ctx.oidc;
  const claimed = (() => {
    try { return jose.decodeJwt(params.assertion ?? ''); } catch { throw new errors.InvalidGrant('assertion is no JWT'); }
  })();
  const known = (config.assertion_issuers ?? []).find((one) => one.issuer === claimed.iss);
  if (!known) throw new errors.InvalidGrant('unknown issuer of the assertion');
  let payload;
  try {
    ({ payload } = await jose.jwtVerify(params.assertion, createPublicKey(known.public_key_pem), {
      algorithms: [known.alg],
      audience: [issuer, `${issuer}/token`],
      requiredClaims: ['exp', 'sub'],
    }));
  } catch (error) {
    throw new errors.InvalidGrant(`assertion refused: ${error.code}`);
  }
  const token = new provider.AccessToken({ accountId: payload.sub, client, gty: 'jwt-bearer', scope: params.scope });
  if (params.resource) {
    const info = getResourceServerInfo(ctx, params.resource);
    token.resourceServer = new provider.ResourceServer(params.resource, info);
  }
  ctx.body = {
    access_token: await token.save(),
    expires_in: token.expiration,
    token_type: token.tokenType,
    ...(params.scope && { scope: params.scope }),
  };
}, ['assertion', 'scope', 'resource']);

provider.use(async (ctx, next) => {
  if (ctx.method !== 'POST' || ctx.path !== '/test/refresh-token') return next();
  let body = '';
  for await (const chunk of ctx.req) body += chunk;
  const { client_id: clientId, scope, resource, account } = JSON.parse(body);
  const client = await provider.Client.find(clientId);
  const grant = new provider.Grant({ accountId: account, clientId });
  grant.addOIDCScope(scope);
  if (resource) grant.addResourceScope(resource, scope);
  const grantId = await grant.save();
  const token = new provider.RefreshToken({
    accountId: account, client, grantId, gty: 'authorization_code', scope, resource, rotations: 0,
  });
  ctx.body = { refresh_token: await token.save() };
});

server.on('request', provider.callback());
alias?.on('request', provider.callback());
console.log(issuer);
