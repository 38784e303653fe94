// What was typed is not lost, and what was sent is there once.
'use strict';

const assert = require('node:assert/strict');
const { test, until } = require('../lib/test.js');
const { newUser, newFeed, feedsOf, commentsOf } = require('../lib/board.js');
const { png } = require('../lib/photo.js');
const steps = require('../lib/steps.js');

const NOTE = '[data-draft-note]';
const photosOf = (page) => page.locator('[data-photos] li');

/** Waits until what was typed is surely kept: it is saved 300 ms after the last change. */
const saved = (page) => page.waitForTimeout(1_000);

async function listed(page, number) {
  await until(async () => (await photosOf(page).count()) === number, `${number} photos are listed`);
}

test('reloads the page while writing, and finds text and photos again', async ({ open }) => {
  const me = await newUser();
  const page = await open({ user: me, confirm: true });
  await steps.go(page, '/write');
  await steps.fill(page, { title: '초안', content: 'first\n\nsecond', photos: [png(110, 80), png(120, 80)] });
  await listed(page, 2);
  await saved(page);
  await page.reload();
  await page.locator(`${NOTE}:visible`).waitFor();
  assert.equal(await page.locator('#compose [name=title]').inputValue(), '초안');
  assert.equal(await page.locator('#compose [name=content]').inputValue(), 'first\n\nsecond');
  await listed(page, 2);
  await steps.submit(page.locator('#compose'));
  await steps.arrives(page, /^\/feed\/\d+$/);
  assert.deepEqual(await steps.widths(page), [110, 120]);
  await steps.go(page, '/write');
  assert.equal(await page.locator('#compose [name=title]').inputValue(), '', 'the draft went with the feed');
});

test('leaves the page right after the last letter, and finds it again', async ({ open }) => {
  const page = await open({ user: await newUser(), confirm: true });
  await steps.go(page, '/write');
  await page.waitForTimeout(500); // nobody types sooner
  await steps.fill(page, { title: 'the last letter', content: 'x' });
  await steps.go(page, '/');
  await steps.go(page, '/write');
  await page.locator(`${NOTE}:visible`).waitFor();
  assert.equal(await page.locator('#compose [name=title]').inputValue(), 'the last letter');
});

test('discards a draft, and it stays away', async ({ open }) => {
  const page = await open({ user: await newUser(), confirm: true });
  await steps.go(page, '/write');
  await steps.fill(page, { title: 'not that', content: 'x', photos: [png(110, 80)] });
  await listed(page, 1);
  await saved(page);
  await page.reload();
  await page.locator(`${NOTE} button:visible`).click();
  await steps.agree(page);
  await until(async () => (await page.locator('#compose [name=title]').inputValue()) === '', 'the title is empty');
  await listed(page, 0);
  await page.reload();
  await page.waitForTimeout(500);
  assert.equal(await page.locator('#compose [name=title]').inputValue(), '');
  assert.ok(await page.locator(NOTE).isHidden());
});

test('logs in after another on the same machine, and sees nothing of her draft', async ({ open }) => {
  const [her, him] = [await newUser(), await newUser()];
  const page = await open({ user: her, confirm: true });
  await steps.go(page, '/write');
  await steps.fill(page, { title: 'private', content: 'x' });
  await saved(page);
  await page.context().clearCookies();
  await steps.go(page, '/login?next=/write');
  await steps.logIn(page, him);
  await steps.arrives(page, /^\/write$/);
  await page.waitForTimeout(500);
  assert.equal(await page.locator('#compose [name=title]').inputValue(), '');
  await page.context().clearCookies();
  await steps.go(page, '/login?next=/write');
  await steps.logIn(page, her);
  await page.locator(`${NOTE}:visible`).waitFor();
  assert.equal(await page.locator('#compose [name=title]').inputValue(), 'private');
});

test('sends without a connection, waits, and the feed is there once it is back', async ({ open }) => {
  const me = await newUser();
  const page = await open({ user: me, expected: [/INTERNET_DISCONNECTED/] });
  await steps.go(page, '/write');
  const compose = await steps.fill(page, { title: 'from the train', content: 'x', photos: [png(130, 80)] });
  await listed(page, 1);
  await page.context().setOffline(true);
  await steps.submit(compose);
  const waiting = await compose.getAttribute('data-text-waiting');
  await page.locator('[data-progress-text]:visible', { hasText: waiting }).waitFor();
  assert.equal(await compose.locator('[name=title]').evaluate((field) => field.readOnly), true);
  await page.context().setOffline(false);
  await steps.arrives(page, /^\/feed\/\d+$/);
  assert.equal((await feedsOf(me)).length, 1);
  assert.deepEqual(await steps.widths(page), [130]);
});

test('[N01] loses the answer to what was sent, and it takes effect once', async ({ open, wire }) => {
  const me = await newUser();
  const line = await wire();
  const page = await open({ user: me, origin: line.origin, expected: [/ERR_/] });
  await page.goto(`${line.origin}/write`);
  const compose = await steps.fill(page, { title: 'sent twice', content: 'x', photos: [png(140, 80)] });
  await listed(page, 1);
  line.state = 'loses answers';
  await steps.submit(compose);
  await until(async () => line.posts > 0 && (await feedsOf(me)).length === 1, 'the board has the feed');
  await page.locator('[data-progress-text]:visible').waitFor();
  line.state = 'whole';
  await until(() => /\/feed\/\d+$/.test(page.url()), 'the page becomes the feed');
  assert.ok(line.posts > 1);
  assert.equal((await feedsOf(me)).length, 1);
});

test('closes the page before the connection is back, and it is sent when she returns', async ({ open, wire }) => {
  const me = await newUser();
  const line = await wire();
  const page = await open({ user: me, origin: line.origin, confirm: true, expected: [/ERR_/] });
  await page.goto(`${line.origin}/write`);
  const compose = await steps.fill(page, { title: 'later', content: 'x', photos: [png(150, 80), png(160, 80)] });
  await listed(page, 2);
  line.state = 'refuses posts';
  await steps.submit(compose);
  await until(() => line.posts > 0, 'it was tried');
  await page.close({ runBeforeUnload: false });
  line.state = 'whole';
  const back = await page.context().newPage();
  await back.goto(`${line.origin}/write`);
  await until(() => /\/feed\/\d+$/.test(back.url()), 'the page becomes the feed');
  assert.equal((await feedsOf(me)).length, 1);
  assert.deepEqual(await steps.widths(back), [150, 160]);
});

test('takes back what waits to be sent, changes it, and sends that', async ({ open, wire }) => {
  const me = await newUser();
  const line = await wire();
  const page = await open({ user: me, origin: line.origin, confirm: true, expected: [/ERR_/] });
  await page.goto(`${line.origin}/write`);
  const compose = await steps.fill(page, { title: 'one', content: 'x' });
  line.state = 'refuses posts';
  await steps.submit(compose);
  await page.locator('[data-progress] button:visible').click();
  await until(() => compose.locator('[name=title]').evaluate((field) => !field.readOnly), 'the title can be changed');
  assert.equal(await compose.locator('[name=title]').inputValue(), 'one');
  line.state = 'whole';
  await compose.locator('[name=title]').fill('two');
  await steps.submit(compose);
  await until(() => /\/feed\/\d+$/.test(page.url()), 'the page becomes the feed');
  assert.deepEqual((await feedsOf(me)).map((feed) => feed.title), ['two']);
});

for (const javaScript of [true, false]) {
  const how = javaScript ? 'with JavaScript' : 'without JavaScript';

  test(`clicks twice on sending, and it takes effect once, ${how}`, async ({ open }) => {
    const me = await newUser();
    const page = await open({ user: me, javaScript });
    await steps.go(page, '/write');
    const compose = await steps.fill(page, { title: 'double', content: 'x' });
    await compose.locator('button[type=submit]').dblclick({ force: !javaScript });
    await steps.arrives(page, /^\/feed\/\d+$/);
    assert.equal((await feedsOf(me)).length, 1);
  });

  test(`goes back after sending and sends again, and it takes effect once, ${how}`, async ({ open }) => {
    const me = await newUser();
    const page = await open({ user: me, javaScript, confirm: true });
    await steps.go(page, '/');
    await steps.go(page, '/write');
    const compose = await steps.fill(page, { title: 'back', content: 'x' });
    await steps.submit(compose);
    await steps.arrives(page, /^\/feed\/\d+$/);
    await page.goBack();
    await page.waitForTimeout(500);
    // What is left of it in the form, if anything, is sent again.
    if (steps.pathOf(page) === '/write' && (await page.locator('#compose [name=title]').inputValue()) !== '') {
      await steps.submit(page.locator('#compose'));
      await steps.arrives(page, /^\/feed\/\d+$/);
    }
    assert.equal((await feedsOf(me)).length, 1);
  });

  test(`clicks twice on commenting, and it takes effect once, ${how}`, async ({ open }) => {
    const me = await newUser();
    const feed = await newFeed(me);
    const page = await open({ user: me, javaScript });
    await steps.go(page, `/feed/${feed.id}`);
    await page.locator('#new-comment [name=content]').fill('hello');
    await page.locator('#new-comment button').first().dblclick({ force: !javaScript });
    await page.locator('#comments > li').first().waitFor();
    await page.waitForTimeout(300);
    assert.equal((await commentsOf(feed)).length, 1);
  });
}

test('edits a feed, reloads, and the draft of the edit is not the one of a new feed', async ({ open }) => {
  const me = await newUser();
  const feed = await newFeed(me, { title: 'before', photos: [png(170, 80)] });
  const page = await open({ user: me, confirm: true });
  await steps.go(page, `/feed/${feed.id}/edit`);
  await steps.fill(page, { title: 'after', photos: [png(180, 80)] });
  await listed(page, 1);
  await saved(page);
  await steps.go(page, '/write');
  await page.waitForTimeout(500);
  assert.equal(await page.locator('#compose [name=title]').inputValue(), '');
  await steps.go(page, `/feed/${feed.id}/edit`);
  await page.locator(`${NOTE}:visible`).waitFor();
  assert.equal(await page.locator('#compose [name=title]').inputValue(), 'after');
  await listed(page, 1);
  await steps.submit(page.locator('#compose'));
  await steps.arrives(page, new RegExp(`^/feed/${feed.id}$`));
  assert.deepEqual(await steps.widths(page), [170, 180]);
});

test('sends what the board refuses, is told, and everything is still there', async ({ open }) => {
  const me = await newUser();
  const page = await open({ user: me, confirm: true, expected: [/^4\d\d: POST/, /status of 4/, /ERR_|blob:/] });
  await steps.go(page, '/write');
  const broken = { name: 'broken.png', mimeType: 'image/png', buffer: png(300, 200).buffer.subarray(0, 60) };
  const compose = await steps.fill(page, { title: 'kept', content: 'x', photos: [png(110, 80), broken] });
  await listed(page, 2);
  assert.match(await photosOf(page).nth(1).textContent(), /broken\.png/);
  await steps.submit(compose);
  await steps.errors(compose).first().waitFor();
  assert.equal(await compose.locator('[name=title]').inputValue(), 'kept');
  await listed(page, 2);
  await (await steps.photoButton(page, 1, 'remove')).click();
  await listed(page, 1);
  await steps.submit(compose);
  await steps.arrives(page, /^\/feed\/\d+$/);
  assert.deepEqual(await steps.widths(page), [110]);
});
