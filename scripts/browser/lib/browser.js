// The Chromium that all tests share.
'use strict';

const { chromium } = require('playwright-core');

let browser;

async function start() {
  browser = await chromium.launch({
    executablePath: process.env.BROWSER,
    // Nothing but this machine is asked for anything, whatever a page would like.
    args: ['--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost'],
  });
}

async function stop() {
  await browser?.close();
}

const newContext = (options) => browser.newContext(options);

module.exports = { start, stop, newContext };
