// Runs the tests in tests/ in one process, so that they share one Chromium. Arguments choose tests by a part of their file's
// name or title. Needs a running board (BOARD_URL) and Chromium (BROWSER); scripts/test starts both.
'use strict';

const { after, before, describe, it } = require('node:test');
const fs = require('node:fs');
const path = require('node:path');
const browser = require('./lib/browser.js');
const { tests, run } = require('./lib/test.js');

const folder = path.join(__dirname, 'tests');
const words = process.argv.slice(2);
for (const file of fs.readdirSync(folder).sort()) {
  const known = tests.length;
  require(path.join(folder, file));
  for (const test of tests.slice(known)) test.file = file;
}
const chosen = tests.filter(({ file, title }) => words.every((word) => file.includes(word) || title.includes(word)));
if (chosen.length === 0) {
  console.error(`run.js: no test has ${words.join(' ')} in its title`);
  process.exit(2);
}

// Pages wait more than they work; more at once only makes each wait longer.
describe('pages', { concurrency: Number(process.env.BROWSER_TESTS_AT_ONCE ?? 3) }, () => {
  before(browser.start);
  after(browser.stop);
  for (const test of chosen) it(test.title, { timeout: 120_000 }, () => run(test));
});
