// Azure's credentials for Node, unmodified: each gets a token as the environment says, and calls the gateway with it.
import { execFileSync } from "node:child_process";
import {
  ClientSecretCredential,
  DefaultAzureCredential,
  DeviceCodeCredential,
  ManagedIdentityCredential,
} from "@azure/identity";

const { APPROVE, CLIENT_ID, CLIENT_SECRET, TENANT } = process.env;
const [command, ...words] = JSON.parse(APPROVE);
const unasked = { disableInstanceDiscovery: true };
const onScreen = ({ userCode }) => execFileSync(command, [...words, userCode], { stdio: "ignore" });

const found = {};
for (const [name, credential] of Object.entries({
  DefaultAzureCredential: new DefaultAzureCredential(),
  ManagedIdentityCredential: new ManagedIdentityCredential(),
  "ClientSecretCredential of adfs": new ClientSecretCredential("adfs", CLIENT_ID, CLIENT_SECRET),
  "ClientSecretCredential of a tenant": new ClientSecretCredential(TENANT, CLIENT_ID, CLIENT_SECRET, unasked),
  DeviceCodeCredential: new DeviceCodeCredential({
    tenantId: "organizations",
    userPromptCallback: onScreen,
    ...unasked,
  }),
})) {
  const { token } = await credential.getToken("https://ai.azure.com/.default");
  const answer = await fetch(`${process.env.FOREHEARTH_URL}/api/projects/default/deployments?api-version=v1`, {
    headers: { authorization: `Bearer ${token}` },
  });
  found[name] = { status: answer.status, names: (await answer.json()).value.map((each) => each.name) };
}
console.log(JSON.stringify(found));
