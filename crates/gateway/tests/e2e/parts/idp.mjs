// An OpenID Provider for the end-to-end tests: npm oidc-provider on a loopback port, over TLS.
//
// Usage: node idp.mjs SETTINGS_JSON, with
//   { port (0: any), certificate, key, keys: file that keeps the signing keys over a restart,
//     audiences: [..], scopes: [..], clients: [{ id, secret, claims: {..} }] }
// One line of JSON on standard output says { issuer } once it serves.
//
// A client names what it wants in the resource of its token request: AUDIENCE?alg=ES256&ttl=60.
import { readFileSync, writeFileSync, existsSync } from 'node:fs'
import { createServer } from 'node:https'
import { generateKeyPair, exportJWK } from 'jose'
import Provider, { errors } from 'oidc-provider'

const ALGORITHMS = ['RS256', 'ES256', 'EdDSA']
const TOKEN_SECONDS = 300

const settings = JSON.parse(process.argv[2])
const claimsOf = new Map(settings.clients.map((client) => [client.id, client.claims ?? {}]))

async function signingKeys() {
  if (existsSync(settings.keys)) return JSON.parse(readFileSync(settings.keys, 'utf8'))
  const keys = []
  for (const alg of ALGORITHMS) {
    const pair = await generateKeyPair(alg, { extractable: true })
    keys.push({ ...(await exportJWK(pair.privateKey)), alg, use: 'sig', kid: `${alg}-1` })
  }
  writeFileSync(settings.keys, JSON.stringify(keys), { mode: 0o600 })
  return keys
}

// What a resource server gets: its audience, and tokens in the format that the client asked for.
function resourceServer(_context, resource) {
  const wanted = new URL(resource)
  const alg = wanted.searchParams.get('alg') ?? 'ES256'
  const ttl = Number(wanted.searchParams.get('ttl') ?? TOKEN_SECONDS)
  wanted.search = ''
  const audience = settings.audiences.find((known) => new URL(known).href === wanted.href)
  if (!audience || !ALGORITHMS.includes(alg) || !(ttl > 0)) throw new errors.InvalidTarget()
  return {
    audience,
    scope: settings.scopes.join(' '),
    accessTokenTTL: ttl,
    accessTokenFormat: 'jwt',
    jwt: { sign: { alg } },
  }
}

const server = createServer({ cert: readFileSync(settings.certificate), key: readFileSync(settings.key) })
await new Promise((ready) => server.listen(settings.port, '127.0.0.1', ready))
const issuer = `https://127.0.0.1:${server.address().port}`

const provider = new Provider(issuer, {
  jwks: { keys: await signingKeys() },
  scopes: settings.scopes,
  clients: settings.clients.map((client) => ({
    client_id: client.id,
    client_secret: client.secret,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    scope: settings.scopes.join(' '),
    token_endpoint_auth_method: 'client_secret_basic',
  })),
  extraTokenClaims: (_context, token) => claimsOf.get(token.clientId),
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: { enabled: true, getResourceServerInfo: resourceServer, useGrantedResource: () => true },
  },
})
provider.on('server_error', (_context, error) => console.error('server_error', error))
server.on('request', provider.callback())
console.log(JSON.stringify({ issuer }))
