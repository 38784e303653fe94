// What changes a part of a page without leaving it.
'use strict';

const assert = require('node:assert/strict');
const { test, until } = require('../lib/test.js');
const { at, newUser, newFeed, newComment, commentsOf } = require('../lib/board.js');
const steps = require('../lib/steps.js');

/** Does something; the page must be the same one afterwards, where it was scrolled to. */
async function inPlace(page, element, action) {
  await page.locator(element).first().scrollIntoViewIfNeeded();
  const look = () => page.evaluate(() => ({ url: location.href, steps: history.length, mark: window.mark, y: scrollY }));
  await page.evaluate(() => (window.mark = Math.random()));
  const before = await look();
  await action();
  assert.deepEqual(await look(), before);
}

const LONG = Array.from({ length: 60 }, (_, n) => `paragraph ${n}`).join('\n\n');

test('likes a feed and a comment, and the page stays where it is, with the focus', async ({ open }) => {
  const [me, other] = [await newUser(), await newUser()];
  const feed = await newFeed(other, { content: LONG });
  const comment = await newComment(other, feed);
  const page = await open({ user: me, height: 500 });
  await steps.go(page, `/feed/${feed.id}`);
  for (const id of [`like-feed-${feed.id}`, `like-comment-${comment.id}`]) {
    await inPlace(page, `#${id}`, () => steps.toggle(page, id));
    assert.equal(await steps.count(page, id), 1);
    assert.ok(await page.evaluate((id) => document.activeElement.closest(`#${id}`) !== null, id), 'the focus is on the button');
    await inPlace(page, `#${id}`, () => steps.toggle(page, id));
    assert.equal(await steps.count(page, id), 0);
  }
});

test('likes a feed on the list, and the page stays where it is', async ({ open }) => {
  const me = await newUser();
  const feed = await newFeed(me);
  const page = await open({ user: me, height: 300 });
  await steps.go(page, `/user/${me.id}`);
  const id = `like-feed-${feed.id}`;
  if (await page.locator(`#${id}`).count()) await inPlace(page, `#${id}`, () => steps.toggle(page, id));
});

test('follows and unfollows, and the page stays where it is', async ({ open }) => {
  const [me, other] = [await newUser(), await newUser()];
  const page = await open({ user: me });
  await steps.go(page, `/user/${other.id}`);
  const id = `follow-${other.id}`;
  for (const pressed of ['true', 'false']) {
    await inPlace(page, `#${id}`, () => steps.toggle(page, id));
    assert.equal(await steps.pressed(page, id), pressed);
  }
});

test('comments, twice, and deletes one, and the page stays where it is', async ({ open }) => {
  const me = await newUser();
  const feed = await newFeed(me, { content: LONG });
  const page = await open({ user: me, height: 500, confirm: true });
  await steps.go(page, `/feed/${feed.id}`);
  const field = page.locator('#new-comment [name=content]');
  const key = () => page.locator('#new-comment [name=key]').inputValue();
  const [url, first] = [page.url(), await key()];
  await page.evaluate(() => (window.mark = true));
  await field.fill('one');
  await steps.submit(page.locator('#new-comment'));
  await page.locator('#comments > li', { hasText: 'one' }).waitFor();
  await until(async () => (await field.inputValue()) === '', 'the form is empty again');
  assert.notEqual(await key(), first, 'the next comment has a key of its own');
  await field.fill('two');
  await field.press('Control+Enter');
  await page.locator('#comments > li', { hasText: 'two' }).waitFor();
  assert.match(await page.locator('#comment-count').textContent(), /2/);
  assert.deepEqual((await commentsOf(feed)).map((comment) => comment.content).sort(), ['one', 'two']);
  const { id } = (await commentsOf(feed)).find((comment) => comment.content === 'one');
  await steps.erase(page, `/comment/${id}/delete`);
  await page.locator(`#comment-${id}`).waitFor({ state: 'detached' });
  assert.match(await page.locator('#comment-count').textContent(), /1/);
  assert.equal(page.url(), url);
  assert.equal(await page.evaluate(() => window.mark), true);
  assert.notEqual((await page.locator('#status').textContent()) ?? '', null);
});

test('sends an empty comment and is told beside the field', async ({ open }) => {
  const me = await newUser();
  const feed = await newFeed(me);
  const page = await open({ user: me, expected: [/^422: POST/, /status of 422/] });
  await steps.go(page, `/feed/${feed.id}`);
  const field = page.locator('#new-comment [name=content]');
  await page.locator('#new-comment').evaluate((form) => form.setAttribute('novalidate', '')); // the board's own answer
  await inPlace(page, '#new-comment', async () => {
    await steps.submit(page.locator('#new-comment'));
    await page.locator('#new-comment [data-error-for=content]:visible', { hasText: /\S/ }).waitFor();
  });
  assert.equal(await field.getAttribute('aria-invalid'), 'true');
  await field.fill('better');
  await steps.submit(page.locator('#new-comment'));
  await page.locator('#comments > li', { hasText: 'better' }).waitFor();
  assert.notEqual(await page.locator('#new-comment [name=content]').getAttribute('aria-invalid'), 'true');
});

test('comments without a connection, is told, and keeps what was typed', async ({ open }) => {
  const me = await newUser();
  const feed = await newFeed(me);
  const page = await open({ user: me, expected: [/INTERNET_DISCONNECTED/] });
  await steps.go(page, `/feed/${feed.id}`);
  const field = page.locator('#new-comment [name=content]');
  await field.fill('do not lose me');
  await page.context().setOffline(true);
  await steps.submit(page.locator('#new-comment'));
  const offline = await page.locator('html').getAttribute('data-text-offline');
  await page.locator('#status:visible, #new-comment [data-error]:visible', { hasText: offline }).waitFor();
  assert.equal(await field.inputValue(), 'do not lose me');
  await page.context().setOffline(false);
  await steps.submit(page.locator('#new-comment'));
  await page.locator('#comments > li', { hasText: 'do not lose me' }).waitFor();
  assert.equal((await commentsOf(feed)).length, 1);
});

test('likes after the log-in ended, and is led to the log-in and back', async ({ open }) => {
  const me = await newUser();
  const feed = await newFeed(me);
  const page = await open({ user: me, expected: [/^401: POST/, /status of 401/] });
  await steps.go(page, `/feed/${feed.id}`);
  await page.context().clearCookies();
  await page.locator(`#like-feed-${feed.id} button`).click();
  await steps.arrives(page, /^\/login$/);
  await steps.logIn(page, me);
  await steps.arrives(page, new RegExp(`^/feed/${feed.id}$`));
});

test('edits a comment', async ({ open }) => {
  const me = await newUser();
  const feed = await newFeed(me);
  const comment = await newComment(me, feed, 'before');
  for (const javaScript of [true, false]) {
    const page = await open({ user: me, javaScript });
    await steps.go(page, `/feed/${feed.id}`);
    await steps.follow(page, `/comment/${comment.id}/edit`);
    const text = `after, ${javaScript}`;
    const edit = steps.form(page, `/comment/${comment.id}/edit`);
    await edit.locator('[name=content]').fill(text);
    await steps.submit(edit);
    await page.locator(`#comment-${comment.id}`, { hasText: text }).waitFor();
  }
});

test('looks at a feed without a log-in, and is offered one in place of each button', async ({ open }) => {
  const me = await newUser();
  const feed = await newFeed(me);
  await newComment(me, feed);
  const page = await open();
  await steps.go(page, `/feed/${feed.id}`);
  assert.equal(await page.locator('main button[aria-pressed]').count(), 0);
  await page.locator('main a[href*="/login"]').first().click();
  await steps.arrives(page, /^\/login$/);
  await steps.logIn(page, me);
  await until(() => page.url() === at(`/feed/${feed.id}`) || page.url().startsWith(at(`/feed/${feed.id}#`)), 'it leads back');
});
