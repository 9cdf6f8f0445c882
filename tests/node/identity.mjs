// Azure's credentials for Node, unmodified: each gets a token as the environment says, and calls the gateway with it.
import { DefaultAzureCredential, ManagedIdentityCredential } from "@azure/identity";

const found = {};
for (const [name, credential] of Object.entries({
  DefaultAzureCredential: new DefaultAzureCredential(),
  ManagedIdentityCredential: new ManagedIdentityCredential(),
})) {
  const { token } = await credential.getToken("https://ai.azure.com/.default");
  const answer = await fetch(`${process.env.FOREHEARTH_URL}/api/projects/default/deployments?api-version=v1`, {
    headers: { authorization: `Bearer ${token}` },
  });
  found[name] = { status: answer.status, names: (await answer.json()).value.map((each) => each.name) };
}
console.log(JSON.stringify(found));
