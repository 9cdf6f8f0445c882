// Runs workflows in the editor of an n8n that has no owner yet, and takes a picture of each when it is done.
// Arguments: the address of n8n, then WORKFLOW=FILE. One JSON line says how many nodes succeeded in each.
import { open } from "./browser.mjs";

const [url, ...wanted] = process.argv.slice(2);
const owner = { email: "owner@example.com", firstName: "Ada", lastName: "Owner", password: "Only-for-pictures-1" };

const browser = await open(620);
const setUp = await browser.request.post(`${url}/rest/owner/setup`, { data: owner });
if (!setUp.ok()) throw new Error(`no owner could be made: ${setUp.status()}`);

const page = await browser.newPage();
const named = (id) => page.locator(`[data-test-id="${id}"]`).first();
const told = page.getByText("Workflow executed successfully").first();
const succeeded = {};
for (const argument of wanted) {
  const [workflow, file] = argument.split("=");
  await page.goto(`${url}/workflow/${workflow}`);
  await named("execute-workflow-button").click();
  await told.waitFor();
  await named("zoom-to-fit").click();
  await told.waitFor({ state: "hidden" });
  succeeded[workflow] = await page.locator('[data-test-id="canvas-node-status-success"]').count();
  await page.screenshot({ path: file });
}
console.log(JSON.stringify(succeeded));
await browser.close();
