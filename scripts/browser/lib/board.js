// The board by its JSON API: for what a test needs to be there, and to look behind the pages.
'use strict';

const assert = require('node:assert/strict');

const board = new URL(process.env.BOARD_URL);

/** The address of a path on the board. */
const at = (path) => board.origin + board.pathname.replace(/\/$/, '') + path;

/** Asks the API; `form` is sent as multipart. Returns the answer's JSON; anything but success is an error. */
async function api(method, path, { token, json, form } = {}) {
  const headers = {};
  if (token) headers.authorization = `Bearer ${token}`;
  if (json) headers['content-type'] = 'application/json';
  const answer = await fetch(at(path), { method, headers, body: form ?? (json && JSON.stringify(json)) });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return text === '' ? null : JSON.parse(text);
}

const PASSWORD = 'a long and quiet night';
const run = Date.now().toString(36);
let users = 0;

/** Words for a user who is not there yet. */
function stranger(over = {}) {
  const name = `${run}-${++users}`;
  return { email: `u${name}@example.com`, password: PASSWORD, nickname: `n${name}`, ...over };
}

/** Signs a new user up: what `stranger` says, with `id` and `token`. */
async function newUser(over) {
  const { email, password, nickname } = stranger(over);
  await api('POST', '/api/auth/signup', { json: { email, password, nickname } });
  const { access_token: token } = await api('POST', '/api/auth/login', { json: { email, password } });
  const { id } = await api('GET', '/api/mypage/profile', { token });
  return { email, password, nickname, token, id };
}

let feeds = 0;

/** Posts a feed; `photos` are as in photo.js. */
function newFeed(author, { title = `feed ${++feeds}`, content = 'content', photos = [] } = {}) {
  const form = new FormData();
  form.append('title', title);
  form.append('content', content);
  for (const photo of photos) form.append('images', new Blob([photo.buffer], { type: photo.mimeType }), photo.name);
  return api('POST', '/api/feed/create', { token: author.token, form });
}

const newComment = (author, feed, content = 'a comment') =>
  api('POST', '/api/comment/create', { token: author.token, json: { feed_id: feed.id, content } });

const readFeed = (feed, reader) => api('GET', `/api/feed/read/${feed.id}`, { token: reader?.token });

/** The user's feeds, the newest first. */
const feedsOf = async (user) => (await api('GET', `/api/feed/list-by-user?user_id=${user.id}`)).feeds;

/** The newest first. */
const commentsOf = (feed) => api('GET', `/api/comment/feed/${feed.id}`);

module.exports = { board, at, api, PASSWORD, stranger, newUser, newFeed, newComment, readFeed, feedsOf, commentsOf };
