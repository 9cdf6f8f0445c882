// A certified OpenID Connect server (the oidc-provider package), with three clients and two keys. It prints its issuer,
// and changes its signing key when it is told "rotate" on standard input. Of two clients tokens say a group and a role.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { exportJWK, generateKeyPair } from "jose";
import Provider from "oidc-provider";

const SECRET = "robots-secret-0123456789";
const SAID = { grouped: { groups: ["others", "builders"] }, enrolled: { roles: ["Model.Call"] } };
const AUDIENCE = "https://ai.azure.com";

async function signingKey(kid) {
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  return { ...(await exportJWK(privateKey)), kid, use: "sig", alg: "RS256" };
}

const server = createServer((request, response) => handle(request, response));
let handle;

async function provide(issuer, kid) {
  const provider = new Provider(issuer, {
    clients: ["robot", ...Object.keys(SAID)].map((client_id) => (
      { client_id, client_secret: SECRET, grant_types: ["client_credentials"], redirect_uris: [], response_types: [] }
    )),
    extraTokenClaims: (_, token) => SAID[token.clientId],
    jwks: { keys: [await signingKey(kid)] },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => AUDIENCE,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({ scope: "call", audience: AUDIENCE, accessTokenFormat: "jwt", accessTokenTTL: 600 }),
      },
    },
  });
  handle = provider.callback();
}

server.listen(0, "127.0.0.1", async () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  await provide(issuer, "first");
  console.log(issuer);
  const lines = createInterface({ input: process.stdin });
  lines.on("line", async () => {
    await provide(issuer, "second");
    console.log("rotated");
  });
  lines.on("close", () => process.exit(0));
});
