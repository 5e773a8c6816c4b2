'use strict';
// Opens the page in headless Chromium, sends an update, and prints what a visitor saw, as
// JSON. Usage: node page.js <chromium> <url> <folder for screenshots>

const path = require('path');
const { chromium } = require('playwright-core');

const [executablePath, url, folder] = process.argv.slice(2);
const displayName = 'Grüße 😀 日本 <b>bold</b>';
const patience = 30_000;

async function visit(page) {
  await page.goto(url);
  await page.locator('.pane').nth(1).waitFor({ timeout: patience });
  const panes = await page.locator('.pane').all();
  for (const pane of panes) {
    await pane.getByText(/^Subscribed to demo\/board/).waitFor({ timeout: patience });
    await pane.locator('[data-part=transport]').getByText('websocket').waitFor({ timeout: patience });
  }
  await page.getByLabel('Display name').fill(displayName);
  await page.getByRole('button', { name: 'Send' }).click();

  const seen = [];
  for (const pane of panes) {
    await pane.locator('[data-part=list] li').first().waitFor({ timeout: patience });
    const part = (name) => pane.locator(`[data-part=${name}]`).innerText();
    seen.push({
      label: await part('label'),
      state: await part('state'),
      socket: await part('id'),
      deliveries: await part('count'),
      text: await part('list'),
      markup: await pane.locator('[data-part=list] b').count(),
    });
  }
  return seen;
}

// What the page says of mistakes, as they are typed.
async function blunder(page) {
  await page.locator('#answer').waitFor({ timeout: patience });
  await page.getByLabel('More fields').fill('{"colour": ');
  await page.locator('#send-status').getByText('More fields is not JSON').waitFor({ timeout: patience });
  const stale = await page.locator('#answer').isVisible();
  await page.getByLabel('App', { exact: true }).fill('no/slash');
  await page.locator('#room-status').getByText('An id has').waitFor({ timeout: patience });
  await page.getByLabel('App', { exact: true }).fill('board');
  await page.getByLabel('More fields').fill('{}');
  return { stale, sendsTo: await page.locator('#submit').innerText() };
}

async function main() {
  // Chromium refuses its sandbox to root, which is who runs in a container.
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    const errors = [];
    page.on('pageerror', (error) => errors.push(String(error)));
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
    const panes = await visit(page);
    const blunders = await blunder(page);
    await page.screenshot({ path: path.join(folder, 'page.png'), fullPage: true });

    await page.setViewportSize({ width: 360, height: 740 });
    await page.screenshot({ path: path.join(folder, 'page-phone.png'), fullPage: true });
    // What a phone's visitor would have to scroll sideways for.
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    console.log(JSON.stringify({ displayName, panes, blunders, errors, overflow }));
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
