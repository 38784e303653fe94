// Those who mean no good: what they type, and what their own pages try with a neighbour's browser.
'use strict';

const assert = require('node:assert/strict');
const { test, until } = require('../lib/test.js');
const { at, api, board, PASSWORD, stranger, newUser, newFeed, newComment, readFeed, commentsOf } = require('../lib/board.js');
const { SCRIPTS, ELSEWHERE } = require('../lib/corpus.js');
const { png } = require('../lib/photo.js');
const steps = require('../lib/steps.js');

/** What a page must not have, whatever was typed. */
const unsafeParts = (page) => page.evaluate(() => {
  const found = [];
  for (const element of document.querySelectorAll('*')) {
    const tag = element.localName;
    if (/^(iframe|frame|object|embed|base|style|math|applet)$/.test(tag)) found.push(element.outerHTML);
    if (tag === 'script' && new URL(element.src, 'http://none').origin !== location.origin) found.push(element.outerHTML);
    if (tag === 'meta' && /refresh/i.test(element.httpEquiv)) found.push(element.outerHTML);
    for (const { name, value } of element.attributes) {
      if (name.startsWith('on') || name === 'style' || name === 'srcdoc') found.push(element.outerHTML);
      if (!['href', 'src', 'action', 'formaction', 'poster', 'xlink:href'].includes(name)) continue;
      const { protocol, origin } = new URL(value, location.href);
      const away = ['http:', 'https:', 'mailto:'];
      const allowed = tag === 'a' ? away : [location.protocol, 'blob:', 'data:'];
      if (!allowed.includes(protocol)) found.push(`${name}=${value}`);
      if (tag !== 'a' && protocol.startsWith('http') && origin !== location.origin && tag !== 'link') found.push(`${name}=${value}`);
    }
  }
  if (window.hits) found.push(`${window.hits} hits`);
  if (document.querySelectorAll('#status').length !== 1) found.push('several #status');
  return found;
});

async function armed(open, options) {
  const page = await open(options);
  await page.addInitScript(() => {
    window.hits = 0;
    window.hit = () => window.hits++;
  });
  return page;
}

async function isSafe(page, what) {
  assert.deepEqual(await unsafeParts(page), [], what);
}

test('[W01] types scripts into titles and texts, and they are text', async ({ open }) => {
  const [author, reader] = [await newUser(), await newUser()];
  const page = await armed(open, { user: reader });
  for (const script of SCRIPTS) {
    const feed = await newFeed(author, { title: script.replace(/\s/g, ' ').trim(), content: script });
    await steps.go(page, `/feed/${feed.id}`);
    await isSafe(page, script);
    const shown = (await page.locator('h1').textContent()).replace(/\s+/g, ' ').trim();
    assert.equal(shown, feed.title.replace(/\s+/g, ' ').trim());
  }
  for (const path of ['/', `/user/${author.id}`]) {
    for (await steps.go(page, path); ; ) {
      await isSafe(page, page.url());
      const next = page.locator('main a[href*="cursor="][rel=next], main a[href*="cursor="]').last();
      const from = page.url();
      if ((await next.count()) === 0) break;
      await next.click();
      await until(() => page.url() !== from, 'the next page is there');
      if (path === '/') break; // others post there too
    }
  }
});

test('[W01] types scripts into comments, and they are text, where they are put in place too', async ({ open }) => {
  const me = await newUser();
  const feed = await newFeed(me);
  const page = await armed(open, { user: me });
  await steps.go(page, `/feed/${feed.id}`);
  for (let first = 0; first < SCRIPTS.length; first += 10) {
    await page.locator('#new-comment [name=content]').fill(SCRIPTS.slice(first, first + 10).join('\n\n'));
    await steps.submit(page.locator('#new-comment'));
    await until(async () => (await page.locator('#comments > li').count()) > first / 10, `comment ${first} is there`);
  }
  await isSafe(page, 'as put in place');
  await steps.go(page, `/feed/${feed.id}`);
  await isSafe(page, 'as the page comes');
  await steps.go(page, '/my/comments');
  await isSafe(page, 'as a list');
  const [{ id }] = await commentsOf(feed);
  await steps.go(page, `/comment/${id}/edit`);
  await isSafe(page, 'as a form');
});

test('[W01] takes scripts for a nickname, and they are text', async ({ open }) => {
  const page = await armed(open);
  const names = [`"onfocus='hit()'autofocus "`, '<img src=x onerror=hit()>', '</title><svg onload=hit()>', `'"><i>`];
  let taken = 0;
  for (const nickname of names) {
    const user = await newUser({ nickname }).catch(() => null);
    if (!user) continue;
    taken++;
    const feed = await newFeed(user);
    await newComment(user, feed);
    for (const path of [`/user/${user.id}`, `/feed/${feed.id}`, `/user/${user.id}/followers`]) {
      await steps.go(page, path);
      await isSafe(page, `${nickname}: ${path}`);
    }
    const own = await armed(open, { user });
    for (const path of ['/settings', '/my']) {
      await steps.go(own, path);
      await isSafe(own, `${nickname}: ${path}`);
    }
    await own.context().close();
  }
  assert.ok(taken > 0, 'some are allowed');
});

test('[W01] puts scripts into forms that are refused, and into addresses, and they are text', async ({ open }) => {
  const me = await newUser();
  const page = await armed(open, { user: me, javaScript: false, expected: [/^4\d\d: /, /status of 4/] });
  const anonymous = await armed(open, { expected: [/^4\d\d: /, /status of 4/] });
  for (const script of SCRIPTS.filter((_, index) => index % 12 === 2)) {
    await steps.go(page, '/write');
    await page.locator('#compose').evaluate((form) => form.setAttribute('novalidate', ''));
    await steps.fill(page, { title: script.replace(/\s/g, ' '), content: '' });
    await steps.submit(page.locator('#compose'));
    await page.waitForLoadState();
    assert.equal(await page.locator('#compose [name=title]').inputValue(), script.replace(/\s/g, ' '));
    await isSafe(page, script);
    const code = encodeURIComponent(script);
    for (const path of [`/login?next=${code}`, `/?cursor=${code}`, `/feed/${code}`, `/user/${code}`, `/${code}`, `/look?next=${code}`]) {
      await steps.go(anonymous, path);
      await isSafe(anonymous, path);
    }
  }
});

test('[W01] gives photos names that are scripts, and they are text', async ({ open }) => {
  const page = await armed(open, { user: await newUser(), confirm: true });
  await steps.go(page, '/write');
  const names = ['<img src=x onerror=hit()>.png', '"onload="hit()".png', '<script>hit()<script>.png'];
  await steps.fill(page, { title: 'x', content: 'x', photos: names.map((name, n) => png(100 + n, 80, name)) });
  await until(async () => (await page.locator('[data-photos] li').count()) === 3, 'they are listed');
  assert.deepEqual((await unsafeParts(page)).filter((part) => !/style=/.test(part)), []);
  await page.waitForTimeout(1_000);
  await page.reload();
  await until(async () => (await page.locator('[data-photos] li').count()) === 3, 'they are listed again');
  assert.equal(await page.evaluate(() => window.hits), 0);
});

test('[W02] the policy stops a script that came in all the same', async ({ open }) => {
  const page = await armed(open, { expected: [/violation of|Content Security Policy|violates|localhost:1|\/x\b/] });
  await steps.go(page, '/');
  await page.evaluate(() => {
    const add = (html) => document.body.append(document.createRange().createContextualFragment(html));
    add('<script>hit()</script>');
    add('<img src=x onerror=hit()>');
    add('<script src="data:text/javascript,hit()"></script>');
    add('<script src="http://localhost:1/a.js"></script>');
    add('<img src="http://localhost:1/a.png">');
    add('<iframe srcdoc="<script>parent.hit()</script>"></iframe>');
    setTimeout('hit()');
  });
  await page.waitForTimeout(500);
  assert.equal(await page.evaluate(() => window.hits), 0);
  const sent = await page.evaluate(() => fetch('http://localhost:1/').then(() => 'sent', () => 'stopped'));
  assert.equal(sent, 'stopped');
});

/** Every way to change something by a form: for a feed of the victim with a comment, another's too. */
const changes = ({ victim, mine, comment, theirs, other }) => [
  ['/write', { key: 'k1', title: 'forged', content: 'x' }],
  [`/feed/${mine.id}/edit`, { key: 'k2', title: 'forged', content: 'x' }],
  [`/feed/${mine.id}/delete`, {}],
  [`/feed/${theirs.id}/like`, {}],
  [`/feed/${mine.id}/unlike`, {}],
  [`/comment/${comment.id}/like`, {}],
  [`/comment/${comment.id}/unlike`, {}],
  [`/feed/${mine.id}/comment`, { key: 'k3', content: 'forged' }],
  [`/comment/${comment.id}/edit`, { content: 'forged' }],
  [`/comment/${comment.id}/delete`, {}],
  [`/user/${other.id}/follow`, {}],
  [`/user/${other.id}/unfollow`, {}],
  ['/settings/nickname', { nickname: 'forged' }],
  ['/settings/password', { password: victim.password, new_password: 'a forged long password' }],
  ['/settings/delete', { password: victim.password }],
  ['/notifications/read', {}],
  ['/notifications/settings', { comment: 'off', reply: 'off', like: 'off', follow: 'off' }],
  ['/line/link', { linkToken: 'forged', password: victim.password }],
  ['/line/unlink', {}],
  ['/look', { language: 'ja', theme: 'dark', next: '/' }],
  ['/logout', {}],
  ['/login', { email: other.email, password: other.password }],
  ['/signup', { ...stranger() }],
];

async function neighbourhood() {
  const [victim, other] = [await newUser(), await newUser()];
  const mine = await newFeed(victim, { photos: [png(100, 80)] });
  const theirs = await newFeed(other);
  const comment = await newComment(victim, mine);
  await api('PUT', `/api/like/?feed_id=${mine.id}`, { token: victim.token });
  await api('PUT', `/api/follow/${victim.id}`, { token: other.token });
  await until(async () => (await api('GET', '/api/notification/unread', { token: victim.token })).unread === 1, 'she is told of it');
  return { victim, other, mine, theirs, comment };
}

/** All that the victim has, as the board tells it; and who is logged in, and in which language. */
async function state(page, { victim, mine, theirs, other }) {
  const token = victim.token;
  await steps.go(page, '/settings');
  const shown = await page.evaluate(() => {
    const { lang, dataset } = document.documentElement;
    return [lang, dataset.user, document.documentElement.className, document.documentElement.getAttribute('data-theme')];
  });
  const paths = ['/api/mypage/profile', '/api/mypage/feeds', '/api/mypage/comments', `/api/feed/read/${mine.id}`,
    `/api/feed/read/${theirs.id}`, `/api/comment/feed/${mine.id}`, `/api/user/${other.id}`,
    '/api/notification/list', '/api/notification/settings'];
  return JSON.stringify([shown, ...await Promise.all(paths.map((path) => api('GET', path, { token })))]);
}

/** A page that posts a form as soon as it is opened; or, as `fetch`, from a script that may not read the answer. */
function forgery(url) {
  const { target, fields, type, fetch } = JSON.parse(url.searchParams.get('plan') ?? '{}');
  if (!target) return '<p>nothing here</p>';
  const pairs = Object.entries(fields);
  if (fetch) {
    const options = `{ method: 'POST', mode: 'no-cors', credentials: 'include', body: new URLSearchParams(${JSON.stringify(pairs)}) }`;
    return `<script>fetch(${JSON.stringify(target)}, ${options})</script>`;
  }
  const inputs = pairs.map(([name, value]) => `<input name="${name}" value="${value}">`).join('');
  return `<form method=post enctype="${type}" action="${target}">${inputs}</form><script>document.forms[0].submit()</script>`;
}

// To the browser another port is another origin of the same site, so that cookies come along; localhost is another site.
for (const [who, host] of [['another port', '127.0.0.1'], ['another site', 'localhost']]) {
  test(`[W04] posts forms from ${who} with a neighbour's cookies, and nothing changes`, async ({ open, serve }) => {
    const all = await neighbourhood();
    const port = await serve(forgery);
    const page = await open({ user: all.victim, expected: [/./] });
    const before = await state(page, all);
    const ways = [{ type: 'application/x-www-form-urlencoded' }, { fetch: true }];
    if (who === 'another port') ways.push({ type: 'multipart/form-data' }, { type: 'text/plain' });
    for (const [path, fields] of changes(all)) {
      for (const way of ways) {
        const plan = encodeURIComponent(JSON.stringify({ target: at(path), fields, ...way }));
        const answered = page.waitForResponse((answer) => answer.url() === at(path) && answer.request().method() === 'POST');
        await page.goto(`http://${host}:${port}/?plan=${plan}`, { waitUntil: 'commit' }).catch(() => {});
        assert.equal((await answered).status(), 403, `${path} by ${JSON.stringify(way)}`);
      }
      await page.waitForLoadState();
    }
    assert.equal(await state(page, all), before);
  });
}

test('[W04] posts from nowhere, or from a place whose name begins alike', async () => {
  const all = await neighbourhood();
  const form = new URLSearchParams({ email: all.victim.email, password: PASSWORD });
  const login = (headers) => fetch(at('/login'), { method: 'POST', body: form, headers, redirect: 'manual' });
  assert.equal((await login({ origin: 'null' })).status, 403, 'a sandboxed frame');
  assert.equal((await login({ origin: 'http://evil.example' })).status, 403);
  assert.equal((await login({ origin: `${board.origin}.evil.example` })).status, 403);
  assert.equal((await login({ origin: board.origin })).status, 303);
});

test('[W05] follows a link to what only a form may do, and nothing changes', async ({ open }) => {
  const all = await neighbourhood();
  const page = await open({ user: all.victim, expected: [/405/] });
  const before = await state(page, all);
  const forms = ['/write', '/look', '/login', '/signup', '/settings/nickname', '/settings/password', '/notifications/settings',
    '/line/link'];
  for (const [path] of changes(all).filter(([path]) => !forms.includes(path) && !/\/(edit|comment)$/.test(path))) {
    const answer = await steps.go(page, path);
    assert.equal(answer.status(), 405, path);
    assert.match(answer.headers().allow ?? '', /POST/, path);
  }
  assert.equal(await state(page, all), before);
});

test('[W06] frames the board in a page of another origin, and it stays empty', async ({ open, serve }) => {
  const user = await newUser();
  const feed = await newFeed(user);
  const port = await serve((url) => `<iframe src="${url.searchParams.get('of')}"></iframe>`);
  for (const host of ['127.0.0.1', 'localhost']) {
    const page = await open({ user, expected: [/./] });
    for (const path of ['/', `/feed/${feed.id}`, '/write', '/settings', '/login', '/nothing/here']) {
      await page.goto(`http://${host}:${port}/?of=${encodeURIComponent(at(path))}`);
      const frame = page.frames()[1];
      await frame.waitForLoadState();
      assert.doesNotMatch(frame.url(), new RegExp(`^${board.origin}`), path);
      assert.equal(await frame.locator('main').count(), 0, path);
    }
  }
});

test('[W07] comes by a link that leads elsewhere after the log-in, and stays', async ({ open }) => {
  const me = await newUser();
  // His cookie goes while the bell may ask for its stream, which is led to the log-in then.
  const page = await open({ expected: [/^40\d: GET|^4(14|31)|status of 4/] });
  // Some: each takes a log-in. The test after this one tries them all.
  for (const next of ELSEWHERE.filter((_, index) => index % 4 === 0)) {
    await page.context().clearCookies();
    await steps.go(page, `/login?next=${encodeURIComponent(next)}`);
    if (!(await steps.form(page, '/login').count())) continue; // too long an address
    await steps.logIn(page, me);
    await until(async () => (await page.context().cookies()).some(({ name }) => name === 'madang_session'), 'he is logged in');
    await page.waitForLoadState();
    assert.equal(new URL(page.url()).origin, board.origin, JSON.stringify(next));
  }
});

test('[W07] hands forms a place elsewhere to go on to, and they do not', async () => {
  const me = await newUser();
  for (const next of ELSEWHERE) {
    const all = { '/look': { language: 'en', theme: 'auto', next }, '/login': { email: me.email, password: PASSWORD, next } };
    for (const [path, fields] of Object.entries(all)) {
      const headers = { origin: board.origin };
      const answer = await fetch(at(path), { method: 'POST', body: new URLSearchParams(fields), headers, redirect: 'manual' });
      if (answer.status >= 400) continue;
      assert.equal(answer.status, 303, JSON.stringify(next));
      const location = answer.headers.get('location');
      assert.equal(new URL(location, at('/login')).origin, board.origin, `${JSON.stringify(next)}: ${location}`);
    }
  }
});

test('[W11] logs in and out: the cookie is out of reach of scripts and of other sites, and is good no longer', async ({ open }) => {
  const me = await newUser();
  const page = await open({ confirm: true });
  await steps.go(page, '/login');
  const before = await page.context().cookies();
  await steps.logIn(page, me);
  await until(() => steps.pathOf(page) !== '/login', 'he is logged in');
  await steps.go(page, '/look');
  const cookies = await page.context().cookies();
  const added = cookies.filter(({ value }) => !before.some((cookie) => cookie.value === value));
  assert.equal(added.length, 1);
  for (const cookie of cookies) {
    assert.equal(cookie.httpOnly, true, cookie.name);
    assert.match(cookie.sameSite, /^(Lax|Strict)$/, cookie.name);
    assert.equal(cookie.path, '/', cookie.name);
    assert.equal(cookie.secure, false, 'by http it would be lost');
  }
  assert.equal(await page.evaluate(() => document.cookie), '');
  await steps.logOut(page);
  await until(async () => !(await page.context().cookies()).some(({ name }) => name === added[0].name), 'the cookie is gone');
  await page.context().addCookies([{ ...added[0] }]);
  await steps.go(page, '/my');
  assert.equal(steps.pathOf(page), '/login', 'a copy of the cookie is worth nothing');
});

test('[W11] goes back after the log-out on a shared machine, and sees nothing', async ({ open }) => {
  const me = await newUser();
  const feed = await newFeed(me, { title: 'only for me to edit' });
  const page = await open({ user: me, confirm: true });
  await steps.go(page, '/');
  await steps.go(page, '/settings');
  await steps.go(page, `/feed/${feed.id}/edit`);
  await steps.logOut(page);
  await page.goBack();
  await page.goBack();
  await page.waitForTimeout(300);
  assert.equal(await page.locator('#compose').count(), 0);
});

test('[W12] reads another\'s drafts, edits and settings by their address, and may not', async ({ open }) => {
  const [owner, other] = [await newUser(), await newUser()];
  const feed = await newFeed(owner);
  const comment = await newComment(owner, feed);
  const page = await open({ user: other, expected: [/40[34]/] });
  for (const path of [`/feed/${feed.id}/edit`, `/comment/${comment.id}/edit`]) {
    assert.match(String((await steps.go(page, path)).status()), /40[34]/, path);
  }
  await steps.go(page, `/feed/${feed.id}`);
  assert.equal(await page.locator(`a[href$="/edit"], form[action$="/delete"]`).count(), 0);
  const answers = [];
  for (const path of [`/feed/${feed.id}/delete`, `/comment/${comment.id}/delete`, `/comment/${comment.id}/edit`]) {
    const answer = await page.request.post(at(path), { form: { content: 'x' }, headers: { origin: board.origin }, maxRedirects: 0 });
    answers.push(answer.status());
  }
  assert.ok(answers.every((status) => status === 403 || status === 404), answers.join());
  assert.equal((await readFeed(feed)).title, feed.title);
  assert.equal((await commentsOf(feed))[0].content, 'a comment');
});
