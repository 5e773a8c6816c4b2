'use strict';
// Opens the page of a server that asks for tokens in headless Chromium: first without one, then
// with, and sends an update. Usage: node page_identity.js <chromium> <url> <token> <key>

const { chromium } = require('playwright-core');

const [executablePath, url, token, key] = process.argv.slice(2);
const patience = 30_000;

async function main() {
  // Chromium refuses its sandbox to root, which is who runs in a container.
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  try {
    const page = await browser.newPage();
    const errors = [];
    page.on('pageerror', (error) => errors.push(String(error)));
    await page.goto(url);
    const pane = page.locator('.pane').first();
    await pane.getByText(/a token is required/).waitFor({ timeout: patience });
    await page.getByLabel('Token', { exact: true }).fill(token);
    await page.getByLabel('Key to send with').fill(key);
    await page.getByRole('button', { name: 'Connect with these' }).click();
    await pane.getByText(/^Subscribed to demo\/board/).waitFor({ timeout: patience });
    await page.getByRole('button', { name: 'Send' }).click();
    await pane.locator('[data-part=list] li').first().waitFor({ timeout: patience });
    console.log(JSON.stringify({
      errors,
      curl: await page.locator('#curl').textContent(),
      stored: await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href])),
    }));
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
