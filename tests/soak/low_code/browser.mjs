// A headless browser that asks nobody but the page it is shown. CHROMIUM and PROFILE come from the environment.
import { chromium } from "playwright-core";

const QUIET = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export async function open(height) {
  const browser = await chromium.launchPersistentContext(process.env.PROFILE, {
    executablePath: process.env.CHROMIUM,
    args: QUIET,
    viewport: { width: 1280, height },
  });
  browser.setDefaultTimeout(60_000);
  return browser;
}
