// Notifications: what somebody sees of what others do, as it happens.
'use strict';

const assert = require('node:assert/strict');
const { test, until } = require('../lib/test.js');
const { at, api, newUser, newFeed, newComment } = require('../lib/board.js');
const { SCRIPTS } = require('../lib/corpus.js');
const steps = require('../lib/steps.js');

const LIVE = '/notifications/live';
const UNSEEN = 5_000; // ms, as in news.js

const likes = (user, feed) => api('PUT', `/api/like/?feed_id=${feed.id}`, { token: user.token });
const follows = (user, other) => api('PUT', `/api/follow/${other.id}`, { token: user.token });
const unread = async ({ token }) => (await api('GET', '/api/notification/unread', { token })).unread;
const told = (user, count) => until(async () => (await unread(user)) === count, `${count} are unread`);

/** Waits until the bell has a badge that says `count`, or none. */
async function badge(page, count) {
  const badge = page.locator('#bell .badge');
  if (count) return badge.filter({ hasText: new RegExp(`^${count.toString().replace('+', '\\+')}$`) }).waitFor();
  return badge.waitFor({ state: 'hidden' });
}

/** What the page says aloud. */
const says = (page, text) => page.locator('#status', { hasText: text }).waitFor();
const textNew = (page) => page.locator('#bell').getAttribute('data-text-new');

const items = (page) => page.locator('#news > li');
const readForm = (item) => item.locator('form');

/** The streams of a page that are open, as it asks for them and gives them up. */
function streams(page) {
  const open = new Set();
  page.on('request', (request) => new URL(request.url()).pathname.endsWith(LIVE) && open.add(request));
  for (const end of ['requestfailed', 'requestfinished']) page.on(end, (request) => open.delete(request));
  return open;
}

/** Another tab or window comes before the page, or leaves it. Playwright's pages are all in front, so the page is told so. */
const cover = (page, hidden) => page.evaluate((hidden) => {
  Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
  Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => (hidden ? 'hidden' : 'visible') });
  document.dispatchEvent(new Event('visibilitychange'));
}, hidden);

test('sees the bell ring when another comments, likes and follows elsewhere, and goes where it leads', async ({ open }) => {
  const [me, other] = [await newUser(), await newUser()];
  const feed = await newFeed(me, { title: 'my feed' });
  const [mine, theirs] = [await open({ user: me }), await open({ user: other })];
  await steps.go(mine, '/');
  await badge(mine, 0);
  await mine.evaluate(() => (window.mark = true));

  await steps.go(theirs, `/feed/${feed.id}`);
  await theirs.locator('#new-comment [name=content]').fill('what a cat');
  await steps.submit(theirs.locator('#new-comment'));
  await badge(mine, 1);
  await says(mine, await textNew(mine));
  await steps.toggle(theirs, `like-feed-${feed.id}`);
  await badge(mine, 2);
  await steps.go(theirs, `/user/${me.id}`);
  await steps.toggle(theirs, `follow-${me.id}`);
  await badge(mine, 3);
  assert.equal(await mine.evaluate(() => window.mark), true, 'it is the same page');

  await mine.locator('#bell').click();
  await steps.arrives(mine, /^\/notifications$/);
  await until(async () => (await items(mine).count()) === 3, 'there are three');
  assert.equal(await mine.locator('#news > .unread').count(), 3);
  const comment = items(mine).filter({ hasText: 'what a cat' });
  assert.ok((await comment.innerText()).includes(other.nickname) && (await comment.innerText()).includes('my feed'));
  await comment.locator('a').click();
  await steps.arrives(mine, new RegExp(`^/feed/${feed.id}$`));
  assert.match(mine.url(), /#comment-\d+$/);
  await mine.locator(new URL(mine.url()).hash, { hasText: 'what a cat' }).waitFor();
  await badge(mine, 2);

  for (const [place, left] of [[`/feed/${feed.id}`, 2], [`/user/${other.id}`, 1]]) {
    await steps.go(mine, '/notifications');
    assert.equal(await mine.locator('#news > .unread').count(), left);
    await mine.locator(`#news > .unread a[href$="${place}"]`).click();
    await steps.arrives(mine, new RegExp(`^${place}$`));
  }
  await badge(mine, 0);
  assert.equal(await unread(me), 0);
});

test('opens a notification in another tab, and it is read here too', async ({ open }) => {
  const [me, other] = [await newUser(), await newUser()];
  await newComment(other, await newFeed(me));
  await follows(other, me);
  await told(me, 2);
  const page = await open({ user: me });
  await steps.go(page, '/notifications');
  await badge(page, 2);
  await items(page).first().locator('a').click({ modifiers: ['Control'] });
  await badge(page, 1);
  await items(page).last().locator('a').click({ button: 'middle' });
  await badge(page, 0);
  assert.equal(steps.pathOf(page), '/notifications');
});

test('marks notifications as read in place, one by one, then all, and hears of it in another tab', async ({ open }) => {
  const [me, other] = [await newUser(), await newUser()];
  const feeds = [];
  for (let n = 0; n < 4; n++) feeds.push(await newFeed(me));
  for (const feed of feeds) await likes(other, feed);
  await told(me, 4);
  const page = await open({ user: me });
  const tab = await page.context().newPage();
  for (const each of [page, tab]) {
    await steps.go(each, '/notifications');
    await badge(each, 4);
  }
  await page.evaluate(() => (window.mark = true));
  for (const left of [3, 2]) {
    const item = page.locator('#news > .unread').first();
    await readForm(item).locator('button').focus();
    await page.keyboard.press('Enter');
    await until(async () => (await page.locator('#news > .unread').count()) === left, `${left} look unread`);
    for (const each of [page, tab]) await badge(each, left);
    assert.match(await page.locator('#status').textContent(), /\S/);
  }
  assert.equal(await page.evaluate(() => window.mark), true, 'it is the same page');
  await page.locator('main form.actions button').click();
  await page.locator('main form.actions').waitFor({ state: 'detached' });
  assert.equal(await page.locator('#news > .unread').count(), 0);
  assert.equal(await items(page).count(), 4);
  for (const each of [page, tab]) await badge(each, 0);
});

test('has the list open when something comes, and is led to it', async ({ open }) => {
  const [me, other] = [await newUser(), await newUser()];
  const page = await open({ user: me });
  await steps.go(page, '/notifications');
  await page.locator('main .empty').waitFor();
  const more = page.locator('#more-news');
  assert.equal(await more.isVisible(), false);
  await badge(page, 0);
  await follows(other, me);
  await more.locator('a:visible').click();
  await until(async () => (await items(page).count()) === 1, 'it is in the list');
  assert.equal(await more.isVisible(), false);
});

test('leaves what comes while the list is open unread when all of it is marked', async ({ open }) => {
  const [me, other] = [await newUser(), await newUser()];
  await likes(other, await newFeed(me));
  await told(me, 1);
  const page = await open({ user: me });
  await steps.go(page, '/notifications');
  await follows(other, me);
  await badge(page, 2);
  await page.locator('main form.actions button').click();
  await until(async () => (await items(page).count()) === 2, 'the list has both');
  assert.equal(await page.locator('#news > .unread').count(), 1);
  await badge(page, 1);
});

test('looks at another tab: the stream ends, and the number is right on coming back', async ({ open }) => {
  const [me, other] = [await newUser(), await newUser()];
  const page = await open({ user: me });
  const live = streams(page);
  await steps.go(page, '/');
  await until(() => live.size === 1, 'there is a stream');
  await cover(page, true);
  await page.waitForTimeout(UNSEEN / 2);
  await cover(page, false);
  await page.waitForTimeout(UNSEEN);
  assert.equal(live.size, 1, 'whoever looks away for a moment keeps it');
  await cover(page, true);
  await until(() => live.size === 0, 'it ends');
  await follows(other, me);
  await told(me, 1);
  await page.waitForTimeout(1_500);
  await badge(page, 0);
  await cover(page, false);
  await badge(page, 1);
  await until(() => live.size === 1, 'there is a stream again');
});

test('has many tabs open, of which one is in front, and each page still comes', async ({ open }) => {
  const [me, other] = [await newUser(), await newUser()];
  const page = await open({ user: me });
  const tabs = [];
  // Chromium has six connections for a board by plain http, and each stream takes one.
  for (let n = 0; n < 9; n++) {
    const tab = n === 0 ? page : await page.context().newPage();
    const live = streams(tab);
    await steps.go(tab, ['/', '/notifications', '/my'][n % 3]);
    await until(() => live.size === 1, `tab ${n} has a stream`);
    await cover(tab, true);
    if (n % 3 === 2) await until(() => live.size === 0, `tab ${n} gives it up`);
    tabs.push({ tab, live });
  }
  await until(() => tabs.every(({ live }) => live.size === 0), 'no tab behind has a stream');
  const { tab, live } = tabs[4];
  await cover(tab, false);
  await until(() => live.size === 1, 'the one in front has');
  await follows(other, me);
  await badge(tab, 1);
  assert.equal((await steps.go(tab, '/notifications')).status(), 200);
  await badge(tab, 1);
});

test('opens a page in a tab behind: it has no stream until it is looked at', async ({ open }) => {
  const [me, other] = [await newUser(), await newUser()];
  await follows(other, me);
  await told(me, 1);
  const page = await open({ user: me });
  const live = streams(page);
  await page.addInitScript(() => Object.defineProperty(document, 'hidden', { configurable: true, get: () => true }));
  await steps.go(page, '/');
  await page.waitForTimeout(1_000);
  assert.equal(live.size, 0);
  await cover(page, false);
  await badge(page, 1);
});

test('goes back to a page that was left, and its bell is right', async ({ open }) => {
  const [me, other] = [await newUser(), await newUser()];
  const page = await open({ user: me });
  const live = streams(page);
  await steps.go(page, '/');
  await badge(page, 0);
  await steps.go(page, '/my');
  await follows(other, me);
  await badge(page, 1);
  await page.goBack();
  await badge(page, 1);
  await until(() => live.size === 1, 'one stream is left');
});

test('logs out in another tab, and the bell soon gives up', async ({ open }) => {
  const me = await newUser();
  const page = await open({ user: me, expected: [/401/] });
  const live = streams(page);
  await steps.go(page, '/');
  await until(() => live.size === 1, 'there is a stream');
  const tab = await page.context().newPage();
  await steps.logOut(tab);
  await until(() => live.size === 0, 'it ends');
  let asked = 0;
  page.on('request', (request) => (asked += request.url().endsWith(LIVE) ? 1 : 0));
  await page.waitForTimeout(8_000);
  assert.ok(asked <= 1, `it asked ${asked} times more`);
});

/** Where things are drawn in the top bar: the left and the right edge of each, in their order. */
const barEdges = (page) => page.locator('.brand svg, .bar li a').evaluateAll((all) => all.flatMap((part) => {
  const text = document.createRange();
  text.selectNodeContents(part);
  const drawn = part.id === 'bell' ? [...part.querySelectorAll('svg, .badge')] : [part.matches('svg, .button') ? part : text];
  const boxes = drawn.map((one) => one.getBoundingClientRect());
  return [Math.min(...boxes.map(({ left }) => left)), Math.max(...boxes.map(({ right }) => right))];
}));

test('has more unread than a badge can say, and the bar has room for it on the smallest screen', async ({ open }) => {
  const [me, other] = [await newUser(), await newUser()];
  for (let n = 0; n < 100; n++) await likes(other, await newFeed(me));
  await told(me, 100);
  for (const language of ['ko', 'en', 'ja']) {
    const page = await open({ user: me, language });
    for (const width of [1280, 390, 320]) {
      const where = `${language}, ${width} px`;
      await page.setViewportSize({ width, height: 480 });
      await steps.go(page, '/notifications');
      await badge(page, '99+');
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${where}: no scrolling sideways`);
      assert.ok(await page.locator('header').evaluate((header) => header.offsetHeight < 60), `${where}: one row`);
      const edges = [0, ...await barEdges(page), width];
      assert.equal(edges.length, 12, where);
      assert.deepEqual(edges, [...edges].sort((a, b) => a - b), `${where}: nothing lies over another`);
    }
  }
});

test('goes through more notifications than a page has, and sees each once', async ({ open }) => {
  const [me, other] = [await newUser(), await newUser()];
  for (let n = 0; n < 70; n++) await likes(other, await newFeed(me));
  await told(me, 70);
  for (const javaScript of [true, false]) {
    const page = await open({ user: me, javaScript });
    await steps.go(page, '/notifications');
    const seen = [];
    for (;;) {
      seen.push(...await items(page).evaluateAll((all) => all.map(({ id }) => id)));
      const next = page.locator('main a[rel=next]');
      if (!(await next.count())) break;
      await Promise.all([page.waitForEvent('load'), steps.press(next)]);
    }
    assert.equal(seen.length, 70);
    assert.equal(new Set(seen).size, 70);
  }
});

test('hears of things without JavaScript, by plain pages and forms', async ({ open }) => {
  const [me, other] = [await newUser(), await newUser()];
  const feed = await newFeed(me);
  await newComment(other, feed, 'plainly');
  await likes(other, feed);
  await follows(other, me);
  await told(me, 3);
  const page = await open({ user: me, javaScript: false });
  await steps.go(page, '/');
  await steps.press(page.locator('#bell'));
  await steps.arrives(page, /^\/notifications$/);
  assert.equal(await page.locator('#news > .unread').count(), 3);
  await steps.press(readForm(items(page).filter({ hasText: 'plainly' })).locator('button'));
  await until(async () => (await page.locator('#news > .unread').count()) === 2, 'one is read');
  assert.equal(await unread(me), 2);
  await steps.press(items(page).filter({ hasText: 'plainly' }).locator('a'));
  await steps.arrives(page, new RegExp(`^/feed/${feed.id}$`));
  await steps.go(page, '/notifications');
  await steps.press(page.locator('main form.actions button'));
  await until(async () => (await page.locator('#news > .unread').count()) === 0, 'all are read');
  assert.equal(await unread(me), 0);
});

for (const language of ['ko', 'en', 'ja']) {
  for (const javaScript of [true, false]) {
    test(`says what to hear of: ${language}, ${javaScript ? 'with' : 'without'} JavaScript`, async ({ open }) => {
      const [me, other] = [await newUser(), await newUser()];
      const feed = await newFeed(me);
      const page = await open({ user: me, language, javaScript });
      await steps.go(page, '/notifications');
      await steps.follow(page, '/notifications/settings');
      await steps.arrives(page, /^\/notifications\/settings$/);
      const settings = () => steps.form(page, '/notifications/settings');
      const wish = { comment: 'all', reply: 'board', like: 'off', follow: 'off' };
      for (const [kind, level] of Object.entries(wish)) {
        assert.equal(await settings().locator(`[name=${kind}]`).inputValue(), 'all', 'everything is told at first');
        await steps.choose(settings(), kind, level);
      }
      await steps.submit(settings());
      await page.locator('main [role=status]', { hasText: { ko: '저장', en: 'Saved', ja: '保存' }[language] }).waitFor();
      for (const [kind, level] of Object.entries(wish)) {
        assert.equal(await settings().locator(`[name=${kind}]`).inputValue(), level, kind);
      }
      await likes(other, feed);
      await follows(other, me);
      await newComment(other, feed, 'this I hear of');
      await told(me, 1);
      await steps.go(page, '/notifications');
      assert.equal(await items(page).count(), 1);
      assert.ok((await items(page).innerText()).includes('this I hear of'));
    });
  }
}

test('[W01] types scripts into what notifications tell of, and they are text', async ({ open }) => {
  const [me, other] = [await newUser(), await newUser()];
  const page = await open({ user: me });
  await page.addInitScript(() => {
    window.hits = 0;
    window.hit = () => window.hits++;
  });
  await steps.go(page, '/my'); // where the bell hears of all this
  const names = ['<img src=x onerror=hit()>', '</title><svg onload=hit()>', `"onfocus='hit()'autofocus "`, '<u id=bell data-live=x>'];
  const named = (await Promise.all(names.map((nickname) => newUser({ nickname }).catch(() => null)))).filter(Boolean);
  assert.ok(named.length > 0, 'some nicknames are allowed');
  const titles = SCRIPTS.map((script) => script.replace(/\s/g, ' ').trim());
  for (const [n, script] of SCRIPTS.entries()) {
    const feed = await newFeed(me, { title: titles[n] });
    await newComment(named[n] ?? other, feed, script);
    if (named[n]) await likes(named[n], feed);
  }
  const count = SCRIPTS.length + named.length;
  await told(me, count);
  await badge(page, count);
  await steps.go(page, '/notifications');
  const shown = [];
  for (;;) {
    shown.push(...await page.locator('#news .where').allTextContents());
    const strange = () => page.evaluate(() => [...document.querySelectorAll('#news *, #status *')].filter((element) =>
      !element.matches('li, a, span, bdi, time, form, input[type=hidden], button') ||
      element.getAttributeNames().some((name) => name.startsWith('on') || name === 'style')).map(({ outerHTML }) => outerHTML));
    assert.deepEqual(await strange(), [], 'as the page comes');
    await readForm(items(page).first()).locator('button').click();
    await until(async () => (await readForm(items(page).first()).count()) === 0, 'it is read');
    assert.deepEqual(await strange(), [], 'as put in place');
    const places = await page.locator('#news a, #news form').evaluateAll((all) => all.map((one) => new URL(one.href ?? one.action).origin));
    assert.deepEqual([...new Set(places)], [new URL(at('/')).origin]);
    assert.equal(await page.locator('#bell').count(), 1);
    assert.equal(await page.evaluate(() => window.hits), 0);
    const next = page.locator('main a[rel=next]');
    if (!(await next.count())) break;
    await Promise.all([page.waitForEvent('load'), next.click()]);
  }
  const bare = (texts) => [...new Set(texts.map((text) => text.replace(/\s+/g, ' ').trim()))].sort();
  assert.deepEqual(bare(shown), bare(titles));
});
