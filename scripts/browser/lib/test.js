// What a test is handed: pages that are watched, and servers that end with it.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');
const { newContext } = require('./browser.js');
const { at, board } = require('./board.js');

const tests = [];

/** Adds a test. Its title begins with what somebody does. */
const test = (title, body) => tests.push({ title, body });

async function run({ title, body }) {
  const world = new World();
  try {
    await body(world);
    for (const visit of world.visits) visit.check();
  } catch (error) {
    await world.keep(title);
    throw error;
  } finally {
    await world.end();
  }
}

class World {
  visits = [];
  endings = [];

  /**
   * Opens a page in a browser of its own; `user` is logged in there.
   *
   * Whatever its console, the network or the policy of contents complains about fails the test, unless `expected` has a
   * pattern for it. `confirm` says yes to questions, which are complaints otherwise.
   */
  open = async ({ user, width = 1280, height = 800, language = 'en', javaScript = true, expected = [], confirm = false,
    origin = board.origin, ...options } = {}) => {
    const context = await newContext({
      viewport: { width, height },
      locale: language,
      javaScriptEnabled: javaScript,
      hasTouch: width < 600,
      ...options,
    });
    context.setDefaultTimeout(10_000);
    // Without scripts the browser tells of each that it was not allowed to load.
    if (!javaScript) expected = [...expected, /^csp: GET .*\.js$/];
    const visit = new Visit(context, expected, confirm, origin);
    this.visits.push(visit);
    this.endings.push(() => context.close());
    if (user) await logIn(context, user, origin);
    return Object.assign(await visit.page(), { javaScript });
  };

  /** A server that answers every path by `page`, a function of its URL; returns its port. */
  serve = async (page) => {
    const server = http.createServer((request, answer) => {
      answer.setHeader('content-type', 'text/html; charset=utf-8');
      answer.end(page(new URL(request.url, 'http://here')));
    });
    return this.#listen(server);
  };

  /** A way to the board that can be broken. */
  wire = async () => {
    const wire = new Wire();
    wire.origin = `http://127.0.0.1:${await this.#listen(net.createServer((socket) => wire.carry(socket)))}`;
    return wire;
  };

  async #listen(server) {
    const sockets = new Set();
    server.on('connection', (socket) => sockets.add(socket.on('close', () => sockets.delete(socket))));
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    this.endings.push(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    return server.address().port;
  }

  /** Keeps what the pages look like. */
  async keep(title) {
    const name = title.replace(/[^\p{L}\p{N}]+/gu, '-').slice(0, 100);
    const folder = path.join(process.env.BROWSER_OUTPUT ?? '.', name);
    let count = 0;
    for (const page of this.visits.flatMap((visit) => visit.context.pages())) {
      const file = `${folder}-${++count}`;
      await page.screenshot({ path: `${file}.png`, timeout: 5_000 }).catch(() => {});
      const html = await page.content().catch(() => '');
      fs.writeFileSync(`${file}.html`, `<!-- ${page.url()} -->\n${html}`);
    }
  }

  async end() {
    for (const ending of this.endings.reverse()) await ending();
  }
}

/** Logs the context's user in, as the form does. */
async function logIn(context, { email, password }, origin = board.origin) {
  const answer = await context.request.post(origin + new URL(at('/login')).pathname, {
    form: { email, password },
    headers: { origin },
    maxRedirects: 0,
  });
  assert.equal(answer.status(), 303, `log-in: ${await answer.text()}`);
}

/** A browser, and what it complained about. */
class Visit {
  complaints = [];

  constructor(context, expected, confirm, origin) {
    Object.assign(this, { context, expected, confirm, host: new URL(origin).host });
    context.on('page', (page) => this.#watch(page));
  }

  async page() {
    // The console tells of each violation too, but not of those that are only reported.
    await this.context.addInitScript(() =>
      document.addEventListener('securitypolicyviolation', (event) =>
        console.error(`violation of ${event.violatedDirective}: ${event.blockedURI} ${event.sample}`)));
    return this.context.newPage();
  }

  #watch(page) {
    // Other tests delete their feeds at any time, and the home page shows them.
    const isOfOthers = (url) => page.url() === at('/') && url.includes('/images/');
    page.on('console', (message) => {
      const { url } = message.location();
      if (message.type() !== 'error' || isOfOthers(url)) return;
      this.complaints.push(`console: ${message.text()} (${url})`);
    });
    page.on('pageerror', (error) => this.complaints.push(`script: ${error.stack}`));
    page.on('dialog', (dialog) => {
      if (this.confirm) return dialog.accept();
      this.complaints.push(`dialog: ${dialog.message()}`);
      return dialog.dismiss();
    });
    page.on('request', (request) => {
      const { protocol, host } = new URL(request.url());
      if (protocol.startsWith('http') && host !== this.host) this.complaints.push(`request to ${request.url()}`);
    });
    page.on('requestfailed', (request) => {
      const { errorText } = request.failure();
      // As when a page is left.
      if (errorText !== 'net::ERR_ABORTED') this.complaints.push(`${errorText}: ${request.method()} ${request.url()}`);
    });
    page.on('response', (response) => {
      if (response.status() < 400 || isOfOthers(response.url())) return;
      this.complaints.push(`${response.status()}: ${response.request().method()} ${response.url()}`);
    });
  }

  check() {
    const unexpected = this.complaints.filter((complaint) => !this.expected.some((pattern) => pattern.test(complaint)));
    assert.deepEqual(unexpected, [], 'the browser complains');
  }
}

/** Carries bytes between a browser and the board, as long as it is told to. */
class Wire {
  /** `'whole'`, `'refuses posts'`: before the board has one; `'loses answers'`: to posts, after the board had them. */
  state = 'whole';
  /** How many posts began to come. */
  posts = 0;

  carry(near) {
    const far = net.connect(Number(board.port), board.hostname);
    let posting = false;
    const cut = () => {
      near.destroy();
      far.destroy();
    };
    near.on('data', (bytes) => {
      // A request begins at the beginning of a packet: Chromium waits for an answer before it uses a connection again.
      if (/^[A-Z]+ \//.test(bytes.subarray(0, 10).toString('latin1'))) {
        posting = bytes.subarray(0, 5).toString('latin1') === 'POST ';
        if (posting) this.posts++;
      }
      if (posting && this.state === 'refuses posts') return cut();
      far.write(bytes);
    });
    far.on('data', (bytes) => (posting && this.state === 'loses answers' ? cut() : near.write(bytes)));
    for (const socket of [near, far]) socket.on('error', cut).on('close', cut);
  }
}

/** Waits until `condition` returns something true, which it returns. */
async function until(condition, what, { within = 10_000 } = {}) {
  const end = Date.now() + within;
  for (;;) {
    const value = await condition();
    if (value) return value;
    assert.ok(Date.now() < end, `in ${within} ms it did not come true that ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

module.exports = { test, tests, run, until, logIn };
