// The pages of the chat in LINE, and the way to them and on from them, which goes by LINE.
'use strict';

const assert = require('node:assert/strict');
const { test, until } = require('../lib/test.js');
const { at, newUser } = require('../lib/board.js');
const { SCRIPTS } = require('../lib/corpus.js');
const line = require('../lib/line.js');
const steps = require('../lib/steps.js');

const isLinked = (page) => page.locator('main').locator(steps.form(page, '/line/unlink')).count();

/** Agrees on the page where LINE's button leads to; returns the address at LINE to which it goes on. */
async function agree(page, { password }) {
  const form = steps.form(page, '/line/link');
  await form.locator('[name=password]').fill(password);
  await steps.submit(form);
  const onward = page.locator('main a[href^="https://access.line.me/"]');
  await onward.waitFor();
  return onward.getAttribute('href');
}

for (const javaScript of [true, false]) {
  test(`links a chat with an account and unlinks it, ${javaScript ? 'with' : 'without'} JavaScript`, async ({ open }) => {
    const me = await newUser();
    const chat = await line.newChat('하나 <i>');
    const page = await open({ javaScript, expected: [/^4\d\d: POST .*\/line\/link/, /status of 4/] });

    // By the button in LINE, whose browser does not know him.
    const path = await line.askToLink(chat);
    await steps.go(page, path);
    await steps.arrives(page, /^\/login$/);
    await steps.logIn(page, me);
    await steps.arrives(page, /^\/line\/link$/);
    const shown = await page.locator('main').innerText();
    for (const text of ['하나 <i>', me.nickname, me.email]) assert.ok(shown.includes(text), `${text} in ${shown}`);

    // A wrong password does not use the button up.
    const form = steps.form(page, '/line/link');
    await form.locator('[name=password]').fill('not the password');
    await steps.submit(form);
    await form.locator('[role=alert]:visible', { hasText: /\S/ }).waitFor();
    assert.equal(await form.locator('[name=password]').inputValue(), '');

    const onward = await agree(page, me);
    await steps.go(page, '/line');
    assert.equal(await isLinked(page), 0, 'nothing is linked before he was at LINE');
    await line.followToLine(chat, onward);
    await until(async () => (await line.heard(chat)).includes(me.nickname), 'he is told in the chat');
    await steps.go(page, '/line');
    assert.equal(await isLinked(page), 1);

    await steps.submit(steps.form(page, '/line/unlink'));
    await page.locator('main [role=status]').waitFor();
    assert.equal(await isLinked(page), 0);
    await line.say(chat, 'notifications', /link your account/);
  });
}

test('opens the button of a link twice, and by a made-up token, and it is good once', async ({ open }) => {
  const [me, other] = [await newUser(), await newUser()];
  const chat = await line.newChat();
  const page = await open({ user: me, expected: [/404/] });
  const path = await line.askToLink(chat);
  await steps.go(page, path);
  await agree(page, me);
  const late = await open({ user: other, expected: [/404/] });
  const madeUp = ['', '?linkToken=', '?linkToken=made-up', `?linkToken=${'x'.repeat(300)}`].map((query) => `/line/link${query}`);
  for (const address of [path, ...madeUp]) {
    assert.equal((await steps.go(late, address)).status(), 404, address);
  }
});

test('agrees to a chat, and another who follows her address to LINE does not get her account', async ({ open }) => {
  const me = await newUser();
  const [chat, stranger] = [await line.newChat(), await line.newChat('stranger')];
  const page = await open({ user: me });
  await steps.go(page, await line.askToLink(chat));
  const onward = await agree(page, me);
  await line.followToLine(stranger, onward);
  for (const one of [stranger, chat]) await line.say(one, 'notifications', /link your account/);
  await steps.go(page, '/line');
  assert.equal(await isLinked(page), 0);
});

test('reads on the settings page that there is a chat, and the way to it', async ({ open }) => {
  const page = await open({ user: await newUser() });
  await steps.go(page, '/settings');
  await steps.press(page.locator('main').locator(`a[href="${new URL(at('/line')).pathname}"]`));
  await steps.arrives(page, /^\/line$/);
  const ways = page.locator('main .steps a');
  // The board has to hear from LINE first how it is called there.
  await until(async () => (await ways.count()) === 2 || !(await page.reload()), 'two steps are links');
  for (const way of await ways.all()) assert.match(await way.getAttribute('href'), /^https:\/\/line\.me\/R\//);
});

test('[W01] takes scripts for a name at LINE, and they are text', async ({ open }) => {
  const page = await open({ user: await newUser() });
  await page.addInitScript(() => {
    window.hits = 0;
    window.hit = () => window.hits++;
  });
  for (const name of SCRIPTS.filter((_, index) => index % 4 === 1)) {
    await steps.go(page, await line.askToLink(await line.newChat(name)));
    const shown = name.replace(/\p{Cc}/gu, ' '); // in one line
    assert.equal((await page.locator('.pair bdi').first().textContent()).trim(), shown.trim());
    assert.equal(await page.locator('.pair :not(dt, dd, bdi, span)').count(), 0, name);
    assert.equal(await page.evaluate(() => window.hits), 0, name);
  }
});
