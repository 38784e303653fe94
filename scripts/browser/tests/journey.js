// What a neighbour does on a board, from the sign-up to the deletion; on each kind of screen, in each language, with and
// without JavaScript.
'use strict';

const assert = require('node:assert/strict');
const { test, until } = require('../lib/test.js');
const { stranger, newUser, newFeed, readFeed } = require('../lib/board.js');
const { png, jpeg } = require('../lib/photo.js');
const steps = require('../lib/steps.js');

for (const javaScript of [true, false]) {
  for (const width of [390, 1280]) {
    for (const language of ['ko', 'en', 'ja']) {
      const where = `${language}, ${width} px, ${javaScript ? 'with' : 'without'} JavaScript`;
      test(`signs up, posts, comments, likes, follows, edits and deletes: ${where}`, async ({ open }) => {
        const neighbour = await newUser();
        const theirs = await newFeed(neighbour, { photos: [png(320, 200)] });
        const me = stranger();
        const page = await open({ width, language, javaScript, confirm: true, expected: [/^404: GET .*\/feed\//, /status of 404/] });

        await steps.go(page, '/');
        assert.equal(await page.locator('html').getAttribute('lang'), language);
        await steps.follow(page, '/signup');
        await steps.signUp(page, me);

        // Posts two photos.
        await steps.follow(page, '/write');
        const photos = [png(800, 600), javaScript ? await jpeg(page, 300, 400) : png(300, 400)];
        await steps.fill(page, { title: '골목 고양이', content: '어제 *그* 고양이\n\n<b>bold</b>', photos });
        if (javaScript) await until(async () => (await page.locator('[data-photos] li').count()) === 2, 'both photos are listed');
        await steps.submit(page.locator('#compose'));
        await steps.arrives(page, /^\/feed\/\d+$/);
        const feed = steps.pathOf(page);
        assert.equal((await page.locator('h1').textContent()).trim(), '골목 고양이');
        assert.deepEqual(await steps.widths(page), [800, 300]);

        // Comments.
        await page.locator('#new-comment [name=content]').fill('참 예쁘다');
        await steps.submit(page.locator('#new-comment'));
        await page.locator('#comments > li', { hasText: '참 예쁘다' }).waitFor();
        assert.match(await page.locator('#comment-count').textContent(), /1/);

        // Likes what another wrote, and takes it back.
        await steps.go(page, `/feed/${theirs.id}`);
        const like = `like-feed-${theirs.id}`;
        assert.equal(await steps.pressed(page, like), 'false');
        await steps.toggle(page, like);
        assert.equal(await steps.count(page, like), 1);
        assert.equal((await readFeed(theirs)).like_count, 1);
        await steps.toggle(page, like);
        assert.equal(await steps.count(page, like), 0);

        // Follows its author.
        await steps.follow(page, `/user/${neighbour.id}`);
        await steps.arrives(page, /^\/user\/\d+$/);
        await steps.toggle(page, `follow-${neighbour.id}`);
        await steps.follow(page, `/user/${neighbour.id}/followers`);
        await page.locator('main', { hasText: me.nickname }).waitFor();
        await steps.go(page, '/timeline');
        assert.ok(await page.locator(`main a[href$="/feed/${theirs.id}"]`).count());

        // Edits: one photo less, another more.
        await steps.go(page, feed);
        await steps.follow(page, `${feed}/edit`);
        await steps.arrives(page, /\/edit$/);
        await page.waitForLoadState(); // else a photo may be gone before it was shown
        await steps.press(page.locator('[name=target_image_urls]').first());
        await steps.fill(page, { title: '골목 고양이들', photos: [png(640, 480)] });
        if (javaScript) await page.locator('[data-photos] li').waitFor();
        await steps.submit(page.locator('#compose'));
        await steps.arrives(page, new RegExp(`^${feed}$`));
        assert.equal((await page.locator('h1').textContent()).trim(), '골목 고양이들');
        assert.deepEqual(await steps.widths(page), [300, 640]);

        // Deletes.
        await steps.erase(page, `${feed}/delete`);
        await until(() => steps.pathOf(page) !== feed, 'the deletion leads on');
        assert.equal((await steps.go(page, feed)).status(), 404);
        await steps.go(page, '/my');
        assert.equal(await page.locator(`a[href$="${feed}"]`).count(), 0);
      });
    }
  }
}

test('logs out and in again, back to where it was asked', async ({ open }) => {
  const me = await newUser();
  const page = await open({ user: me });
  await steps.logOut(page);
  await steps.go(page, '/write');
  await steps.arrives(page, /^\/login$/);
  await steps.logIn(page, me);
  await steps.arrives(page, /^\/write$/);
  await page.locator('#compose').waitFor();
});

test('types a wrong password and is told, with the address kept', async ({ open }) => {
  const me = await newUser();
  for (const javaScript of [true, false]) {
    const page = await open({ javaScript, expected: [/^40[01]: POST|^422: POST/, /status of 4/] });
    await steps.go(page, '/login');
    await steps.logIn(page, { ...me, password: 'not the password' });
    await page.locator('[role=alert]:visible', { hasText: /\S/ }).first().waitFor();
    assert.equal(await page.locator('[name=email]').inputValue(), me.email);
    assert.equal(await page.locator('[name=password]').inputValue(), '');
  }
});

test('signs up with what cannot be, and is told beside each field', async ({ open }) => {
  const taken = await newUser();
  const page = await open({ javaScript: false, expected: [/^4\d\d: POST/, /status of 4/] });
  await steps.go(page, '/signup');
  await page.locator('form').evaluateAll((forms) => forms.forEach((form) => form.setAttribute('novalidate', '')));
  const wrong = { email: 'nowhere', password: 'short', nickname: ' ' };
  await steps.fillIn(steps.form(page, '/signup'), wrong);
  await steps.submit(steps.form(page, '/signup'));
  await page.locator('main [name=email][aria-invalid=true]').waitFor();
  for (const field of Object.keys(wrong)) {
    const input = page.locator(`main [name=${field}]`);
    assert.equal(await input.getAttribute('aria-invalid'), 'true', field);
    const told = await input.getAttribute('aria-describedby');
    assert.ok(told, `${field} names its message`);
    const texts = await Promise.all(told.split(' ').map((id) => page.locator(`#${id}`).textContent()));
    assert.match(texts.join(''), /\S/);
  }
  assert.equal(await page.locator('main [name=email]').inputValue(), 'nowhere');
  await steps.fillIn(steps.form(page, '/signup'), stranger({ email: taken.email.toUpperCase() }));
  await steps.submit(steps.form(page, '/signup'));
  await page.locator('main [name=nickname]:not([aria-invalid])').waitFor();
  assert.equal(await page.locator('main [name=email]').getAttribute('aria-invalid'), 'true', 'an address that is taken');
});

test('changes nickname and password, takes the data along, and deletes the account', async ({ open }) => {
  const me = await newUser();
  const feed = await newFeed(me, { photos: [png(100, 80)] });
  const page = await open({ user: me, confirm: true, expected: [/^404: GET .*\/user\//, /status of 404/] });
  await steps.go(page, '/settings');
  const renamed = stranger().nickname;
  await steps.form(page, '/settings/nickname').locator('[name=nickname]').fill(renamed);
  await steps.submit(steps.form(page, '/settings/nickname'));
  await steps.go(page, `/user/${me.id}`).then(() => page.locator('h1', { hasText: renamed }).waitFor());

  await steps.go(page, '/settings');
  const password = 'another long and quiet night';
  const change = steps.form(page, '/settings/password');
  await change.locator('[name=password]').fill(me.password);
  await change.locator('[name=new_password]').fill(password);
  await steps.submit(change);
  await page.waitForLoadState();
  const again = await open({ user: { ...me, password } });
  await steps.go(again, '/my');
  await again.locator(`a[href$="/feed/${feed.id}"]`).first().waitFor();

  await steps.go(again, '/settings');
  const download = again.waitForEvent('download');
  await steps.follow(again, '/settings/export');
  assert.match((await download).suggestedFilename(), /\.zip$/);

  const leaver = await open({ user: { ...me, password }, confirm: true, expected: [/^404: GET/, /status of 404/] });
  await steps.go(leaver, '/settings');
  const goodbye = steps.form(leaver, '/settings/delete');
  const details = leaver.locator('details', { has: goodbye });
  if (await details.count()) await details.locator('summary').first().click();
  await goodbye.locator('[name=password]').fill(password);
  await steps.submit(goodbye);
  await until(() => steps.pathOf(leaver) !== '/settings', 'the deletion leads on');
  await until(async () => (await leaver.request.get(leaver.url().replace(/\/[^/]*$/, `/user/${me.id}`))).status() === 404,
    'the user is gone');
});
