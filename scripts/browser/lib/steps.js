// What somebody does on the pages. Elements are found by names of fields, ids and addresses: words differ by language.
'use strict';

const { at } = require('./board.js');
const { until } = require('./test.js');

const go = (page, path) => page.goto(at(path));

/** The path of the page. */
const pathOf = (page) => page.url().slice(at('').length).replace(/[?#].*/, '');

const arrives = (page, pattern) => until(() => pattern.test(pathOf(page)), `the page becomes ${pattern}, not ${page.url()}`);

/** The form that posts to a path, or to several. */
const form = (page, path) => page.locator(`form[action="${new URL(at(path)).pathname}"]`);

/**
 * Presses a button, a link or a box: by a click, or by the keyboard on a page without scripts. Before a click Playwright waits
 * until the element stands still, which it knows by animation frames; Chromium gives such a page none once it was scrolled.
 */
async function press(element) {
  if (element.page().javaScript) return element.click();
  const isBox = await element.evaluate((element) => element.type === 'checkbox');
  return element.press(isBox ? 'Space' : 'Enter');
}

const submit = (form) => press(form.locator('button:not([type=button])').first());

/** Follows the first link to a path that can be seen. */
const follow = (page, path) => press(page.locator(`a[href^="${new URL(at(path)).pathname}"]:visible`).first());

/** Submits a form for deleting, which lies in a closed <details>. */
async function erase(page, path) {
  const details = page.locator('details', { has: form(page, path) });
  await press(details.locator('summary').first());
  await submit(form(page, path));
  await agree(page);
}

/** Says yes if the page asks whether one is sure. */
async function agree(page) {
  await page.locator('dialog[open] button').last().click({ timeout: 500 }).catch(() => {});
}

/** Says `value` in a form, whether by a list or by buttons. */
async function choose(form, name, value) {
  const list = form.locator(`select[name=${name}]`);
  if (await list.count()) await list.selectOption(value);
  else await form.locator(`input[name=${name}][value="${value}"]`).check();
}

/** Fills fields by their names. */
async function fillIn(form, values) {
  for (const [name, value] of Object.entries(values)) await form.locator(`[name=${name}]`).fill(value);
}

async function signUp(page, { email, password, nickname }) {
  const fields = form(page, '/signup');
  await fillIn(fields, { email, password, nickname });
  await submit(fields);
  await until(() => pathOf(page) !== '/signup', 'the sign-up leads on');
}

async function logIn(page, { email, password }) {
  const fields = form(page, '/login');
  await fillIn(fields, { email, password });
  await submit(fields);
}

async function logOut(page) {
  await go(page, '/settings');
  await submit(form(page, '/logout'));
  await until(async () => (await page.locator('a[href*="/login"]:visible').count()) > 0, 'the log-in is offered');
}

/** Fills the form of a feed; photos are put into its file input. */
async function fill(page, { title, content, photos = [] }) {
  const compose = page.locator('#compose');
  if (title !== undefined) await compose.locator('[name=title]').fill(title);
  if (content !== undefined) await compose.locator('[name=content]').fill(content);
  if (photos.length) await compose.locator('input[type=file]').setInputFiles(photos);
  return compose;
}

/** The button of a photo to be sent that does what `text` says: `remove`, `earlier` or `later`. */
async function photoButton(page, index, text) {
  const name = await page.locator('#compose').getAttribute(`data-text-${text}`);
  const pattern = name.split(/\{\w+\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.*');
  return page.locator('[data-photos] li').nth(index).getByRole('button', { name: new RegExp(pattern) });
}

/** What a form says is wrong, of the whole or of a field. */
const errors = (form) => form.locator('[data-error]:visible, [data-error-for]:visible').filter({ hasText: /\S/ });

/** The widths of the photos that a feed's page shows, in order. */
async function widths(page) {
  const photos = page.locator('main img[src*="/images/"]');
  const loaded = () => photos.evaluateAll((all) => all.every((photo) => photo.complete && photo.naturalWidth > 0));
  for (const photo of await photos.all()) await photo.evaluate((photo) => photo.scrollIntoView());
  await until(loaded, 'every photo is shown');
  return photos.evaluateAll((all) => all.map((photo) => Number(photo.getAttribute('width'))));
}

const pressed = (page, id) => page.locator(`#${id} button[aria-pressed]`).getAttribute('aria-pressed');

const count = async (page, id) => Number((await page.locator(`#${id} .count`).textContent()).replace(/\D/g, ''));

/** Presses the button of a form that is a switch, and waits until it is the other way. */
async function toggle(page, id) {
  const before = await pressed(page, id);
  await press(page.locator(`#${id} button`));
  await until(async () => (await pressed(page, id)) !== before, `${id} is no longer ${before}`);
}

module.exports = { go, pathOf, arrives, form, press, submit, follow, erase, agree, choose, fillIn, signUp, logIn, logOut, fill, photoButton, errors, widths, pressed, count, toggle };
