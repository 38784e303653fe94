// Several photos of one feed.
'use strict';

const assert = require('node:assert/strict');
const { test, until } = require('../lib/test.js');
const { newUser } = require('../lib/board.js');
const { png } = require('../lib/photo.js');
const steps = require('../lib/steps.js');

const photosOf = (page) => page.locator('[data-photos] li');

/** The natural widths of the previews, in order. */
const previews = (page) => photosOf(page).locator('img').evaluateAll((all) => all.map((photo) => photo.naturalWidth));

async function shows(page, widths) {
  await until(async () => (await previews(page)).join() === widths.join(), `the previews are ${widths}`);
}

/** Hands photos to the form as the browser does when they are dropped or pasted. */
async function hand(page, selector, kind, photos) {
  const files = photos.map(({ name, mimeType, buffer }) => ({ name, mimeType, bytes: buffer.toString('base64') }));
  await page.locator(selector).evaluate((target, { kind, files }) => {
    const carried = new DataTransfer();
    for (const { name, mimeType, bytes } of files) {
      const content = Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0));
      carried.items.add(new File([content], name, { type: mimeType }));
    }
    const common = { bubbles: true, cancelable: true };
    if (kind === 'paste') return target.dispatchEvent(new ClipboardEvent('paste', { ...common, clipboardData: carried }));
    for (const type of ['dragenter', 'dragover', 'drop']) {
      target.dispatchEvent(new DragEvent(type, { ...common, dataTransfer: carried }));
    }
  }, { kind, files });
}

test('picks, drops and pastes photos, orders them, and the feed has them in that order', async ({ open }) => {
  const page = await open({ user: await newUser() });
  await steps.go(page, '/write');
  await steps.fill(page, { title: 'photos', content: 'x', photos: [png(110, 80), png(120, 80)] });
  await shows(page, [110, 120]);
  await steps.fill(page, { photos: [png(130, 80)] });
  await shows(page, [110, 120, 130]); // picking again adds
  await hand(page, '#compose [name=title]', 'drop', [png(140, 80), png(150, 80)]);
  await shows(page, [110, 120, 130, 140, 150]);
  await hand(page, '#compose [name=content]', 'paste', [png(160, 80, 'image.png')]);
  await shows(page, [110, 120, 130, 140, 150, 160]);
  await (await steps.photoButton(page, 5, 'earlier')).click();
  await shows(page, [110, 120, 130, 140, 160, 150]);
  await (await steps.photoButton(page, 0, 'later')).click();
  await shows(page, [120, 110, 130, 140, 160, 150]);
  await (await steps.photoButton(page, 2, 'remove')).click();
  await shows(page, [120, 110, 140, 160, 150]);
  await steps.submit(page.locator('#compose'));
  await steps.arrives(page, /^\/feed\/\d+$/);
  assert.deepEqual(await steps.widths(page), [120, 110, 140, 160, 150]);
});

test('orders and removes photos with the keyboard alone, and the focus is never lost', async ({ open }) => {
  const page = await open({ user: await newUser() });
  await steps.go(page, '/write');
  await steps.fill(page, { photos: [png(110, 80), png(120, 80), png(130, 80)] });
  await shows(page, [110, 120, 130]);
  const focus = () => page.evaluate(() => document.activeElement.tagName);
  await (await steps.photoButton(page, 0, 'later')).focus();
  await page.keyboard.press('Enter');
  await shows(page, [120, 110, 130]);
  assert.equal(await focus(), 'BUTTON', 'after moving later');
  await page.keyboard.press('Enter');
  await shows(page, [120, 130, 110]); // the focus went with the photo
  await (await steps.photoButton(page, 2, 'remove')).focus();
  await page.keyboard.press('Enter');
  await shows(page, [120, 130]);
  assert.notEqual(await focus(), 'BODY', 'after removing');
});

test('drags a photo before another', async ({ open }) => {
  const page = await open({ user: await newUser() });
  await steps.go(page, '/write');
  await steps.fill(page, { photos: [png(110, 80), png(120, 80), png(130, 80)] });
  await shows(page, [110, 120, 130]);
  await photosOf(page).nth(2).locator('img').dragTo(photosOf(page).nth(0).locator('img'));
  await shows(page, [130, 110, 120]);
});

test('adds too many photos, too large ones and none at all, and is told', async ({ open }) => {
  const page = await open({ user: await newUser() });
  await steps.go(page, '/write');
  const compose = page.locator('#compose');
  const told = async (text) => {
    // The sentence may have a number in place of {n}.
    const sentence = (await compose.getAttribute(`data-text-${text}`)).split(/\{\w+\}/);
    await until(async () => {
      const shown = (await steps.errors(compose).allTextContents()).join();
      return sentence.every((part) => shown.includes(part.trim()));
    }, `it says ${sentence}`);
  };
  await steps.fill(page, { photos: [{ name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from('no photo') }] });
  await told('not-photo');
  assert.equal(await photosOf(page).count(), 0);
  const large = { ...png(110, 80, 'large.png'), buffer: Buffer.concat([png(110, 80).buffer, Buffer.alloc(10_485_760)]) };
  await steps.fill(page, { photos: [large] });
  await told('too-large');
  assert.equal(await photosOf(page).count(), 0);
  await steps.fill(page, { photos: Array.from({ length: 11 }, (_, n) => png(100 + n, 80)) });
  await told('too-many');
  assert.equal(await photosOf(page).count(), 10);
});

test('sees each preview given back to the browser when its photo goes', async ({ open }) => {
  const page = await open({ user: await newUser() });
  await page.addInitScript(() => {
    window.previews = 0;
    const { createObjectURL, revokeObjectURL } = URL;
    URL.createObjectURL = (blob) => (window.previews++, createObjectURL.call(URL, blob));
    URL.revokeObjectURL = (url) => (window.previews--, revokeObjectURL.call(URL, url));
  });
  await steps.go(page, '/write');
  await steps.fill(page, { photos: [png(110, 80), png(120, 80), png(130, 80)] });
  await shows(page, [110, 120, 130]);
  while (await photosOf(page).count()) await (await steps.photoButton(page, 0, 'remove')).click();
  await until(async () => (await page.evaluate(() => window.previews)) === 0, 'no preview is kept');
});
