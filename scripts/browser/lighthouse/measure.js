// Fills a new board with a neighbourhood, and has Lighthouse look at its pages as on a telephone and on a desk.
'use strict';

const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { chromium } = require('playwright-core');
const { at, api, newUser, newFeed, newComment } = require('../lib/board.js');
const { jpeg } = require('../lib/photo.js');
const { logIn, until } = require('../lib/test.js');

const LEAST = 95;
const CATEGORIES = { performance: 'Performance', accessibility: 'Accessibility', 'best-practices': 'Best practices', seo: 'SEO' };
const reports = process.env.LIGHTHOUSE_REPORTS;

const freePort = () => new Promise((done) => {
  const server = net.createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => done(port));
  });
});

/** Thirty feeds with one to three photos each; returns an author and his last feed. */
async function neighbourhood(page) {
  const authors = [];
  for (let n = 0; n < 3; n++) authors.push(await newUser());
  const photos = [];
  for (const [width, height] of [[2000, 1500], [1500, 2000], [1600, 900]]) photos.push(await jpeg(page, width, height));
  let feed;
  for (let n = 0; n < 30; n++) {
    const content = `${n}번째 소식입니다. ${'오늘 골목에서 있었던 일을 적어 둡니다. '.repeat(5)}\n\n- 하나\n- 둘`;
    feed = await newFeed(authors[n % 3], { title: `골목 소식 ${n}`, content, photos: photos.slice(0, 1 + (n % 3)) });
  }
  for (let n = 0; n < 10; n++) await newComment(authors[n % 3], feed, `${n}번째 댓글`);
  const small = ({ images }) => images.every(({ url, thumb_url: thumb }) => thumb !== url);
  const haveThumbnails = async () => (await api('GET', '/api/feed/list?limit=30')).feeds.every(small);
  await until(haveThumbnails, 'the worker has made the thumbnails', { within: 120_000 });
  return { author: authors[0], feed };
}

async function main() {
  const port = await freePort();
  const browser = await chromium.launch({ executablePath: process.env.BROWSER, args: [`--remote-debugging-port=${port}`] });
  try {
    const context = await browser.newContext();
    const { author, feed } = await neighbourhood(await context.newPage());
    await logIn(context, author);
    const cookie = (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
    await context.close();
    // Search engines have no business with the form, which says so itself.
    const compose = ['/write', { extraHeaders: { cookie }, onlyCategories: Object.keys(CATEGORIES).filter((id) => id !== 'seo') }];
    const pages = { home: ['/'], 'a feed': [`/feed/${feed.id}`], compose };
    process.exitCode = (await measure(port, pages)) ? 0 : 1;
  } finally {
    await browser.close();
  }
}

/** Prints the table; true if every figure is high enough. */
async function measure(port, pages) {
  // They are ES modules, which NODE_PATH does not lead to.
  const core = path.dirname(require.resolve('lighthouse'));
  const load = (file) => import(pathToFileURL(path.join(core, file)));
  const { default: lighthouse } = await load('index.js');
  const { default: desktop } = await load('config/desktop-config.js');
  let good = true;
  console.log(`| page | device | ${Object.values(CATEGORIES).join(' | ')} | LCP | CLS | bytes |`);
  console.log(`| --- | --- |${' ---: |'.repeat(Object.keys(CATEGORIES).length + 3)}`);
  for (const [name, [address, special]] of Object.entries(pages)) {
    for (const [device, config] of [['phone', undefined], ['desktop', desktop]]) {
      const flags = { port, output: 'html', logLevel: 'error', onlyCategories: Object.keys(CATEGORIES), ...special };
      const { lhr, report } = await lighthouse(at(address), flags, config);
      fs.writeFileSync(path.join(reports, `${name.replace(' ', '-')}-${device}.html`), report);
      const scores = Object.keys(CATEGORIES).map((id) => (id in lhr.categories ? Math.round(lhr.categories[id].score * 100) : '–'));
      good &&= lhr.runtimeError === undefined && !scores.some((score) => score < LEAST);
      const { 'largest-contentful-paint': paint, 'cumulative-layout-shift': shift, 'total-byte-weight': weight } = lhr.audits;
      const figures = [`${(paint.numericValue / 1000).toFixed(1)} s`, shift.numericValue.toFixed(3), `${Math.round(weight.numericValue / 1024)} KiB`];
      console.log(`| ${[name, device, ...scores, ...figures].join(' | ')} |`);
      for (const fault of faults(lhr)) console.error(`${name}, ${device}: ${fault}`);
    }
  }
  return good;
}

/** What costs points, where a page has too few. */
function faults(lhr) {
  const found = lhr.runtimeError ? [lhr.runtimeError.message] : [];
  for (const { id, score, auditRefs } of Object.values(lhr.categories)) {
    if (score * 100 >= LEAST) continue;
    for (const { id: audit, weight } of auditRefs) {
      const { score, title, displayValue = '' } = lhr.audits[audit];
      if (weight > 0 && score !== null && score < 0.9) found.push(`${id}: ${title} ${displayValue}`);
    }
  }
  return found;
}

main();
