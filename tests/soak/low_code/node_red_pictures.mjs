// Presses the buttons of a flow in the editor of Node-RED, and takes a picture when all answers are there.
// Arguments: the address of Node-RED, the file, then BUTTON=NODE, whose status shows the answer. One JSON line has them.
import { open } from "./browser.mjs";

const [url, file, ...wanted] = process.argv.slice(2);
const browser = await open(640);
const page = await browser.newPage();
await page.goto(url);
const bare = () => ["core:toggle-sidebar", "core:toggle-palette"].forEach((each) => RED.actions.invoke(each));
await page.locator(".red-ui-flow-node-button-button").first().waitFor();
await page.evaluate(bare);
const answers = {};
for (const argument of wanted) {
  const [button, node] = argument.split("=");
  await page.locator(`[id="${button}"] .red-ui-flow-node-button-button`).click();
  const status = page.locator(`[id="${node}"] .red-ui-flow-node-status-label`);
  await status.filter({ hasText: /\S/ }).waitFor();
  answers[node] = await status.textContent();
}
await page.locator(".red-ui-notification").first().waitFor({ state: "hidden" });
await page.screenshot({ path: file });
console.log(JSON.stringify(answers));
await browser.close();
