// Languages, colours and times.
'use strict';

const assert = require('node:assert/strict');
const { test, until } = require('../lib/test.js');
const { at, newUser, newFeed, newComment } = require('../lib/board.js');
const steps = require('../lib/steps.js');

const language = (page) => page.locator('html').getAttribute('lang');

/** What the buttons and labels say, all in one. */
const words = async (page) => (await page.locator('main').innerText()).trim();

async function setLook(page, settings) {
  await steps.go(page, '/look');
  const look = page.locator('main').locator(steps.form(page, '/look'));
  for (const [name, value] of Object.entries(settings)) await steps.choose(look, name, value);
  await Promise.all([page.waitForEvent('load'), steps.submit(look)]);
}

test('has the board in the language of the browser, and in English if it has none of ours', async ({ open }) => {
  const seen = new Set();
  for (const [wish, expected] of [['ko', 'ko'], ['ko-KR', 'ko'], ['en-GB', 'en'], ['ja', 'ja'], ['ja-JP', 'ja'], ['fr', 'en']]) {
    const page = await open({ language: wish });
    await steps.go(page, '/signup');
    assert.equal(await language(page), expected, wish);
    seen.add(await words(page));
  }
  assert.equal(seen.size, 3, 'each language has words of its own');
  // Chromium sends one language by itself.
  for (const [wish, expected] of [['fr-FR,ja;q=0.5,ko;q=0.3', 'ja'], ['xx,ko;q=0', 'en'], [';;;,,q=', 'en'], ['', 'en']]) {
    const page = await fetch(at('/signup'), { headers: { 'accept-language': wish } });
    assert.match(await page.text(), new RegExp(`<html lang="${expected}"`), wish);
  }
});

test('chooses a language, which the browser does not change, and gives it back to the browser', async ({ open }) => {
  for (const javaScript of [true, false]) {
    const page = await open({ language: 'en', javaScript });
    for (const [chosen, expected] of [['ja', 'ja'], ['ko', 'ko'], ['auto', 'en']]) {
      await setLook(page, { language: chosen });
      await steps.go(page, '/');
      assert.equal(await language(page), expected, chosen);
    }
  }
});

test('reads messages about mistakes in her language too', async ({ open }) => {
  const seen = new Set();
  for (const language of ['ko', 'en', 'ja']) {
    const page = await open({ language, javaScript: false, expected: [/^4\d\d: POST/, /status of 4/] });
    await steps.go(page, '/login');
    await steps.logIn(page, { email: 'nobody@example.com', password: 'a wrong password' });
    const alert = page.locator('[role=alert]:visible', { hasText: /\S/ }).first();
    seen.add((await alert.innerText()).trim());
  }
  assert.equal(seen.size, 3);
});

/** From 0, black, to 255. */
const brightness = (page) => page.evaluate(() => {
  const paint = document.createElement('canvas').getContext('2d');
  const back = [document.body, document.documentElement].map((part) => getComputedStyle(part).backgroundColor);
  paint.fillStyle = back.find((colour) => colour !== 'rgba(0, 0, 0, 0)') ?? 'white';
  paint.fillRect(0, 0, 1, 1);
  const [red, green, blue] = paint.getImageData(0, 0, 1, 1).data;
  return (red + green + blue) / 3;
});

test('chooses colours, which the system does not change', async ({ open }) => {
  for (const system of ['light', 'dark']) {
    const page = await open({ colorScheme: system });
    for (const theme of ['auto', 'light', 'dark', 'auto']) {
      await setLook(page, { theme });
      const expected = theme === 'auto' ? system : theme;
      for (const path of ['/', '/login']) {
        await steps.go(page, path);
        assert.equal((await brightness(page)) < 128 ? 'dark' : 'light', expected, `${theme} on a ${system} system, ${path}`);
      }
    }
  }
});

test('reads times as they are where she lives', async ({ open }) => {
  const me = await newUser();
  const feed = await newFeed(me);
  const created = new Date(feed.create_dt);
  const titles = new Set();
  for (const timezoneId of ['Asia/Seoul', 'America/New_York']) {
    const page = await open({ language: 'en', timezoneId });
    await steps.go(page, `/feed/${feed.id}`);
    const time = page.locator('main time[data-time]').first();
    await until(() => time.getAttribute('title'), 'the time has a title');
    const title = await time.getAttribute('title');
    const [hour, minute] = ['hour', 'minute'].map((part) =>
      new Intl.DateTimeFormat('en', { timeZone: timezoneId, hour: 'numeric', minute: '2-digit' })
        .formatToParts(created).find(({ type }) => type === part).value);
    const day = new Intl.DateTimeFormat('en', { timeZone: timezoneId, day: 'numeric' }).format(created);
    for (const part of [hour, minute, day, String(created.getUTCFullYear())]) assert.ok(title.includes(part), `${title}: ${part}`);
    assert.equal(Date.parse(await time.getAttribute('datetime')), created.setMilliseconds(0));
    titles.add(title);
  }
  assert.equal(titles.size, 2);
});

test('reads how long ago it was in her language, and it goes on', async ({ open }) => {
  const me = await newUser();
  const feed = await newFeed(me);
  await newComment(me, feed);
  for (const [language, minutes] of [['ko', '5분 전'], ['en', '5 min'], ['ja', '5 分前']]) {
    const page = await open({ language });
    await page.clock.install();
    await steps.go(page, `/feed/${feed.id}`);
    await page.clock.fastForward(5 * 60_000 + 30_000);
    const time = page.locator('main time[data-time]').first();
    const bare = (text) => text.replace(/\s/g, '');
    await until(async () => bare(await time.innerText()).includes(bare(minutes)), `it says ${minutes}`);
  }
});
