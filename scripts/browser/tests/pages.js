// Every page, seen by everybody who may: that it is accessible, complete and calm.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test, until } = require('../lib/test.js');
const { at, api, board, newUser, newFeed, newComment } = require('../lib/board.js');
const line = require('../lib/line.js');
const { png } = require('../lib/photo.js');
const steps = require('../lib/steps.js');

const AXE = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'];

const MARKDOWN = `# 큰 제목

문단 **굵게** *기울여* ~~지워~~ \`code\` <https://example.com/>

## 작은 제목

- 하나
- 둘
  1. 셋

> 인용

\`\`\`
let long = "a line of code that is much too long for a small screen, and so has to be scrolled sideways";
\`\`\`

| a | b |
| --- | --- |
| 1 | 2 |

${'아주긴낱말'.repeat(30)} ${'w'.repeat(200)}
`;

let made;

/** A small neighbourhood, made once: enough feeds for two pages, and something of each kind. */
const neighbourhood = () => (made ??= (async () => {
  const [author, reader] = [await newUser(), await newUser()];
  for (let n = 0; n < 23; n++) await newFeed(author, { title: `소식 ${n}`, content: `${n}번째 이야기` });
  const rich = await newFeed(author, { title: `Rich ${'긴제목'.repeat(20)}`, content: MARKDOWN,
    photos: [png(800, 600), png(300, 400), png(1200, 300)] });
  const plain = await newFeed(reader, { title: 'plain', content: 'x' });
  const comment = await newComment(author, rich, `hello **there** ${'w'.repeat(100)}`);
  await newComment(reader, rich, 'from the reader');
  for (const { token } of [author, reader]) {
    await api('PUT', `/api/like/?feed_id=${rich.id}`, { token });
    await api('PUT', `/api/like/?comment_id=${comment.id}`, { token });
  }
  await api('PUT', `/api/follow/${author.id}`, { token: reader.token });
  await api('PUT', `/api/follow/${reader.id}`, { token: author.token });
  const chat = await line.newChat(`${'긴 이름'.repeat(5)}${'w'.repeat(20)}`);
  return { author, reader, rich, plain, comment, link: await line.askToLink(chat) };
})());

const forAll = ({ author, rich, plain }) => ({
  home: '/', feed: `/feed/${rich.id}`, 'plain feed': `/feed/${plain.id}`, signup: '/signup', login: '/login?next=%2Fwrite',
  look: '/look', user: `/user/${author.id}`, followers: `/user/${author.id}/followers`,
  followings: `/user/${author.id}/followings`, 'not found': '/nothing/here', 'no feed': '/feed/999999999',
});

/** For the author. */
const forUsers = ({ author, reader, rich, plain, comment, link }) => ({
  home: '/', 'own feed': `/feed/${rich.id}`, 'feed of another': `/feed/${plain.id}`, write: '/write', edit: `/feed/${rich.id}/edit`,
  'edit comment': `/comment/${comment.id}/edit`, 'own profile': `/user/${author.id}`, user: `/user/${reader.id}`,
  followers: `/user/${author.id}/followers`, followings: `/user/${author.id}/followings`, timeline: '/timeline', my: '/my',
  'my comments': '/my/comments', settings: '/settings', notifications: '/notifications',
  'notification settings': '/notifications/settings', line: '/line', 'line link': link,
  'not found': '/nothing/here', 'not mine': `/feed/${plain.id}/edit`,
});

/** Those that may be found by a search engine. */
const PUBLIC = ['home', 'feed', 'plain feed', 'user'];
const ERRORS = { 'not found': 404, 'no feed': 404 };

/** What axe finds, in a line each. */
async function axe(page) {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(AXE);
  const { violations } = await page.evaluate((tags) =>
    axe.run(document, { runOnly: { type: 'tag', values: tags }, rules: { 'target-size': { enabled: true } } }), TAGS);
  return violations.flatMap(({ id, nodes }) =>
    nodes.slice(0, 3).map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary.replace(/\s+/g, ' ')}`));
}

/** What a page lacks that each must have. */
const lacks = (page, name) => page.evaluate(({ name, isPublic, isFeed }) => {
  const lacking = [];
  const need = (what, there) => there || lacking.push(what);
  const attribute = (selector, key) => document.querySelector(selector)?.getAttribute(key);
  const isHere = (url) => URL.canParse(url ?? '') && new URL(url).host === location.host;
  need('a title', document.title.trim());
  need('a language', /^(ko|en|ja)$/.test(document.documentElement.lang));
  need('one h1', document.querySelectorAll('h1').length === 1);
  need('a viewport', attribute('meta[name=viewport]', 'content'));
  need('one main', document.querySelectorAll('main').length === 1);
  need('no scrolling sideways', document.documentElement.scrollWidth <= innerWidth);
  for (const entry of document.querySelectorAll('header nav a')) {
    const text = document.createRange();
    text.selectNodeContents(entry.querySelector('span') ?? entry);
    need(`${entry.textContent.trim()} in one line`, new Set([...text.getClientRects()].map(({ top }) => top)).size <= 1);
  }
  for (const img of document.images) need(`a size of ${img.outerHTML}`, Number(img.getAttribute('width')) && Number(img.getAttribute('height')));
  for (const img of document.images) need(`alt of ${img.outerHTML}`, img.hasAttribute('alt'));
  for (const time of document.querySelectorAll('time')) need('a datetime', !Number.isNaN(Date.parse(time.dateTime)));
  if (isPublic) {
    need('a canonical address', isHere(attribute('link[rel=canonical]', 'href')));
    need('a description', attribute('meta[name=description]', 'content'));
    need('no noindex', !/noindex/.test(attribute('meta[name=robots]', 'content') ?? ''));
  }
  if (isFeed) {
    for (const key of ['title', 'type', 'url', 'description', 'site_name']) need(`og:${key}`, attribute(`meta[property="og:${key}"]`, 'content'));
    need('og:url here', isHere(attribute('meta[property="og:url"]', 'content')));
    if (name === 'feed') need('og:image', isHere(attribute('meta[property="og:image"]', 'content')));
  }
  return lacking;
}, { name, isPublic: PUBLIC.includes(name), isFeed: name === 'feed' || name === 'plain feed' });

async function picture(page, look, name) {
  await page.evaluate(() => scrollTo(0, 0)); // else the header covers something, from axe too
  const folder = path.join(process.env.SCREENSHOTS ?? 'screenshots', look);
  fs.mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: path.join(folder, `${name.replaceAll(' ', '-')}.png`), fullPage: true });
}

const LOOKS = [['phone', 'light', 'ko'], ['phone', 'dark', 'en'], ['desktop', 'light', 'ja'], ['desktop', 'dark', 'ko']];

for (const [device, colorScheme, language] of LOOKS) {
  for (const who of ['without a log-in', 'as the author']) {
    test(`looks at every page on a ${device}, ${colorScheme}, in ${language}, ${who}`, async ({ open }) => {
      const all = await neighbourhood();
      const user = who === 'as the author' ? all.author : undefined;
      const size = device === 'phone' ? { width: 390, height: 844 } : {};
      const page = await open({ user, language, colorScheme, ...size, expected: [/^40[34]: GET .*(nothing|999999999|edit)/, /status of 40[34]/] });
      const faults = {};
      for (const [name, address] of Object.entries((user ? forUsers : forAll)(all))) {
        const status = (await steps.go(page, address)).status();
        const fault = await lacks(page, name);
        if (name === 'not mine' ? ![403, 404].includes(status) : status !== (ERRORS[name] ?? 200)) fault.push(`status ${status}`);
        // Pictures first: axe scrolls.
        await picture(page, `${device}-${colorScheme}`, user ? `in ${name}` : name);
        fault.push(...await axe(page));
        if (fault.length) faults[name] = fault;
      }
      assert.deepEqual(faults, {});
    });
  }
}

test('looks at what scripts add to a page, and it is accessible too', async ({ open }) => {
  const { author, plain } = await neighbourhood();
  const fields = { title: 'a draft', content: 'x', photos: [png(110, 80), png(120, 80), png(130, 80)] };
  for (const [device, colorScheme, language] of LOOKS.slice(1, 3)) {
    const size = device === 'phone' ? { width: 390, height: 844 } : {};
    const page = await open({ user: author, colorScheme, language, ...size, confirm: true, expected: [/422|INTERNET_DISCONNECTED/] });
    const isFine = async (name) => {
      await picture(page, `${device}-${colorScheme}`, name);
      assert.deepEqual(await axe(page), [], name);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} scrolls sideways`);
    };
    await steps.go(page, '/write');
    await steps.fill(page, fields);
    await page.waitForTimeout(1_000);
    await page.reload();
    await page.locator('[data-draft-note]:visible').waitFor();
    await isFine('draft');
    await page.context().setOffline(true);
    await steps.submit(page.locator('#compose'));
    await page.locator('[data-progress]:visible').waitFor();
    await page.waitForTimeout(500);
    await isFine('waiting');
    await page.locator('[data-progress] button').click();
    await page.context().setOffline(false);
    await page.locator('[data-progress]').waitFor({ state: 'hidden' });
    await steps.fill(page, { photos: Array.from({ length: 11 }, (_, n) => png(100 + n, 80)) });
    await steps.errors(page.locator('#compose')).first().waitFor();
    await isFine('too many photos');

    await steps.go(page, `/feed/${plain.id}`);
    await page.locator('#new-comment').evaluate((form) => form.setAttribute('novalidate', ''));
    await steps.submit(page.locator('#new-comment'));
    await steps.errors(page.locator('#new-comment')).first().waitFor();
    await isFine('comment refused');
    await steps.go(page, '/settings');
    for (const summary of await page.locator('summary').all()) await summary.click();
    await isFine('settings unfolded');
  }
});

test('looks at what comes and goes on the pages of notifications and of LINE, and it is accessible too', async ({ open }) => {
  for (const [device, colorScheme, language] of LOOKS) {
    const [me, other] = [await newUser(), await newUser()];
    const size = device === 'phone' ? { width: 390, height: 844 } : {};
    const page = await open({ user: me, colorScheme, language, ...size, expected: [/^403: POST .*\/line\/link/, /status of 403/] });
    const isFine = async (name) => {
      // A notice is half transparent, and so hard to read, only while it comes or goes.
      await page.evaluate(() => document.getAnimations().forEach((one) => Object.assign(one, { currentTime: 1_000 }).pause()));
      const faults = await lacks(page, name);
      await picture(page, `${device}-${colorScheme}`, name);
      assert.deepEqual([...faults, ...await axe(page)], [], `${name}: ${device}, ${colorScheme}, ${language}`);
    };
    await steps.go(page, '/notifications');
    await isFine('no notifications');
    const feed = await newFeed(me, { title: `Rich ${'긴제목'.repeat(20)}` });
    for (const content of ['a comment', `첫 줄\n\n${'아주긴낱말'.repeat(30)} ${'w'.repeat(200)}`]) await newComment(other, feed, content);
    await page.locator('#more-news:visible').waitFor();
    await isFine('a notification comes');
    await steps.go(page, '/notifications');
    await page.locator('#news button').first().click();
    await page.locator('#news > :not(.unread)').waitFor();
    await isFine('a notification is read');
    await steps.go(page, '/notifications/settings');
    await steps.submit(page.locator('main form'));
    await page.locator('main [role=status]').waitFor();
    await isFine('notification settings saved');

    const chat = await line.newChat();
    await steps.go(page, await line.askToLink(chat));
    const password = page.locator('main [name=password]');
    await password.fill('not the password');
    await steps.submit(page.locator('main form'));
    await page.locator('main [role=alert]').waitFor();
    await isFine('line link refused');
    await password.fill(me.password);
    await steps.submit(page.locator('main form'));
    const onward = page.locator('main a[href^="https://access.line.me/"]');
    await onward.waitFor();
    await isFine('line link agreed');
    await line.followToLine(chat, await onward.getAttribute('href'));
    await until(async () => (await line.heard(chat)).includes(me.nickname), 'the chat is linked');
    await steps.go(page, '/line');
    await isFine('line linked');
    await steps.submit(page.locator('main').locator(steps.form(page, '/line/unlink')));
    await page.locator('main [role=status]').waitFor();
    await isFine('line unlinked');
  }
});

test('looks at every page on a very small screen, with large letters, and scrolls in one direction alone', async ({ open }) => {
  const all = await neighbourhood();
  const page = await open({ user: all.author, width: 320, height: 480, expected: [/40[34]/] });
  const wide = [];
  for (const [name, address] of Object.entries(forUsers(all))) {
    await steps.go(page, address);
    if (await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)) wide.push(name);
  }
  assert.deepEqual(wide, []);
});

test('follows every link of every page, and each leads somewhere', async ({ open }) => {
  const all = await neighbourhood();
  for (const user of [undefined, all.author]) {
    const page = await open({ user, expected: [/40[34]/] });
    const seen = new Map();
    for (const address of Object.values((user ? forUsers : forAll)(all))) {
      await steps.go(page, address);
      const urls = await page.evaluate(() => [
        ...[...document.querySelectorAll('a[href]')].map((a) => a.href),
        ...[...document.querySelectorAll('link[href]')].map((a) => a.href),
        ...[...document.images].map((img) => img.src),
      ]);
      for (const url of urls) if (url.startsWith(board.origin)) seen.set(url.replace(/#.*/, ''), address);
    }
    const dead = [];
    for (const [url, from] of seen) {
      const { pathname } = new URL(url);
      // The pages that are visited because they are not there link to themselves.
      if (/nothing|999999999/.test(decodeURIComponent(url)) || pathname === new URL(at(`/feed/${all.plain.id}/edit`)).pathname) continue;
      const answer = await page.request.get(url);
      if (!answer.ok()) dead.push(`${answer.status()} ${url} from ${from}`);
    }
    assert.ok(seen.size > 20);
    assert.deepEqual(dead, []);
  }
});

test('goes through the pages of a list to its end, and sees each feed once', async ({ open }) => {
  const { author } = await neighbourhood();
  for (const javaScript of [true, false]) {
    const page = await open({ javaScript });
    await steps.go(page, `/user/${author.id}`);
    const seen = [];
    for (let pages = 0; pages < 10; pages++) {
      const links = await page.locator('main a[href*="/feed/"]').evaluateAll((all) => all.map((a) => new URL(a.href).pathname));
      seen.push(...new Set(links.filter((link) => /\/feed\/\d+$/.test(link))));
      const next = page.locator('main a[href*="cursor="]').last();
      if (!(await next.count())) break;
      const from = page.url();
      await steps.press(next);
      await until(() => page.url() !== from, 'the next page is there');
    }
    assert.equal(seen.length, 24);
    assert.equal(new Set(seen).size, 24);
  }
});

test('sees nothing move while photos arrive', async ({ open }) => {
  const author = await newUser();
  const photos = [png(800, 600), png(300, 400), png(1200, 300)];
  let last;
  for (let n = 0; n < 6; n++) last = await newFeed(author, { content: `${n} ${'text '.repeat(50)}`, photos: photos.slice(0, 1 + (n % 3)) });
  await newComment(author, last);
  for (const width of [390, 1280]) {
    const page = await open({ user: author, width });
    await page.addInitScript(() => {
      window.shifts = [];
      new PerformanceObserver((list) => {
        for (const { value, sources } of list.getEntries()) window.shifts.push([value, sources.map(({ node }) => node?.outerHTML?.slice(0, 100))]);
      }).observe({ type: 'layout-shift', buffered: true });
    });
    // Photos come late, as they do by a slow line.
    await page.route(/\/images\//, async (route) => {
      await new Promise((done) => setTimeout(done, 200));
      await route.continue().catch(() => {});
    });
    for (const address of ['/', `/user/${author.id}`, `/feed/${last.id}`, '/write']) {
      await steps.go(page, address);
      for (let n = 0; n < 6; n++) {
        await page.mouse.wheel(0, 500);
        await page.waitForTimeout(100);
      }
      await page.waitForTimeout(300);
      const shifts = await page.evaluate(() => window.shifts);
      const sum = shifts.reduce((sum, [value]) => sum + value, 0);
      assert.ok(sum < 0.01, `${address} at ${width} px moves by ${sum}: ${JSON.stringify(shifts)}`);
    }
    await page.unrouteAll({ behavior: 'ignoreErrors' });
  }
});

/** What has the focus, and whether that can be seen. */
const focused = (page) => page.evaluate(() => {
  const element = document.activeElement;
  // The picture of a file input or a checkbox may be its label's.
  const drawn = [element, element.closest('label'), element.nextElementSibling].filter(Boolean);
  const marked = (part) => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(part);
    return (outlineStyle !== 'none' && parseFloat(outlineWidth) > 0) || boxShadow !== 'none';
  };
  const { width, height } = element.getBoundingClientRect();
  return {
    tag: element.localName, html: element.outerHTML.slice(0, 120), href: element.getAttribute('href'), name: element.getAttribute('name'),
    form: element.form?.getAttribute('action'), id: element.form?.id, visible: drawn.some(marked) && width > 0 && height > 0,
  };
});

/** Goes through the page by Tab; returns the stops. */
async function tabThrough(page) {
  const stops = [];
  for (let n = 0; n < 80; n++) {
    await page.keyboard.press('Tab');
    const stop = await focused(page);
    if (stop.tag === 'body' || (stops.length && stop.html === stops[0].html && stop.href === stops[0].href)) break;
    stops.push(stop);
  }
  return stops;
}

test('goes through a page by the keyboard, skips the menu, and reaches everything', async ({ open }) => {
  const { author, plain } = await neighbourhood();
  for (const width of [390, 1280]) {
    for (const colorScheme of ['light', 'dark']) {
      const page = await open({ user: author, width, colorScheme });
      await steps.go(page, `/feed/${plain.id}`);
      const stops = await tabThrough(page);
      assert.match(stops[0].href ?? '', /^#/, 'the first stop skips the menu');
      assert.deepEqual(stops.filter(({ visible }) => !visible).map(({ html }) => html), [], 'the focus can be seen');
      const reaches = (what, test) => assert.ok(stops.some(test), what);
      reaches('writing', ({ href }) => href?.endsWith('/write'));
      reaches('liking', ({ form }) => form?.endsWith(`/feed/${plain.id}/like`));
      reaches('commenting', ({ id, name }) => id === 'new-comment' && name === 'content');
      reaches('sending the comment', ({ id, tag }) => id === 'new-comment' && tag === 'button');

      await steps.go(page, `/feed/${plain.id}`);
      await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
      await page.keyboard.press('Tab');
      assert.ok(await page.evaluate(() => document.activeElement.closest('main') !== null), 'the next stop is in the main part');
    }
  }
});

test('writes and sends a feed by the keyboard alone', async ({ open }) => {
  const page = await open({ user: await newUser() });
  await steps.go(page, '/write');
  await page.locator('#compose [name=title]').focus();
  await page.keyboard.type('by keys');
  await page.keyboard.press('Tab');
  assert.equal((await focused(page)).name, 'content');
  await page.keyboard.type('x');
  await page.keyboard.press('Control+Enter');
  await steps.arrives(page, /^\/feed\/\d+$/);
});

test('sees no movement where she asked for none, and everything where colours are forced', async ({ open }) => {
  const { author, rich } = await neighbourhood();
  const page = await open({ user: author, reducedMotion: 'reduce', forcedColors: 'active' });
  await steps.go(page, `/feed/${rich.id}`);
  const moving = await page.evaluate(() => document.getAnimations().filter((animation) => animation.playState === 'running').length);
  assert.equal(moving, 0);
  await page.locator('#new-comment [name=content]').waitFor();
});
