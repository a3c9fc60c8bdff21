// What axe-core says about pages: node ci/accessibility.mjs PAGE.html...
// Each page is looked at in light and dark, as it opens and with every fold open.
// NODE_PATH names the folder with axe-core and playwright-core, CHROMIUM the browser.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.env.NODE_PATH}/`);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core"), "utf8");
const quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update"];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-sync", ...quiet],
});
let found = 0;
for (const path of process.argv.slice(2)) {
  for (const colorScheme of ["light", "dark"]) {
    // The pages forbid scripts of their own; axe is one of ours.
    const context = await browser.newContext({ colorScheme, bypassCSP: true });
    const page = await context.newPage();
    await page.goto(pathToFileURL(path).href);
    await page.evaluate(axe);
    for (const open of [false, true]) {
      await page.evaluate((open) => {
        for (const one of document.querySelectorAll("details")) one.open = open;
      }, open);
      const { violations, passes } = await page.evaluate(() => axe.run());
      const folds = open ? "open" : "closed";
      console.log(`${path}: ${colorScheme}, folds ${folds}: ${passes.length} rules pass, `
        + `${violations.length} violated`);
      for (const { id, help, nodes } of violations) {
        console.log(`  ${id}: ${help} (${nodes.length}): ${nodes[0].html.slice(0, 160)}`);
      }
      found += violations.length;
    }
    await context.close();
  }
}
await browser.close();
process.exit(found ? 1 : 0);
