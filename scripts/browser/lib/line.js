// The stub that plays LINE, and what people do in their chat with the board. See line-stub/src/control.rs.
'use strict';

const assert = require('node:assert/strict');
const { randomBytes } = require('node:crypto');
const { at } = require('./board.js');
const { until } = require('./test.js');

/** Tells the stub something, or asks it. */
async function stub(command, json) {
  const body = json && JSON.stringify(json);
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${process.env.LINE_STUB}/_stub/${command}`, { method: json ? 'POST' : 'GET', body, headers });
  const text = await answer.text();
  assert.ok(answer.ok, `line-stub: ${command}: ${answer.status} ${text}`);
  return JSON.parse(text);
}

/** Delivers an event to the board, signed as LINE signs it. */
async function deliver(event) {
  const { body, signature } = await stub('webhook', { events: [event] });
  const headers = { 'content-type': 'application/json', 'x-line-signature': signature };
  const answer = await fetch(at('/api/line/webhook'), { method: 'POST', body, headers });
  assert.equal(answer.status, 200, await answer.text());
}

/** Somebody who has the board for a friend at LINE; returns his user id there. */
async function newChat(displayName = '하나', language = 'en') {
  const userId = `U${randomBytes(16).toString('hex')}`;
  await stub('user', { userId, displayName, language });
  return userId;
}

/** Everything that the board said in a chat so far, as one text in JSON. */
const heard = async (userId) => JSON.stringify((await stub('accepted')).filter(({ to }) => [to].flat().includes(userId)));

/** Says something in a chat and returns all that was heard there, once `pattern` is in it. */
async function say(userId, text, pattern) {
  await deliver(await stub('event', { kind: 'text', userId, text }));
  return until(async () => pattern.exec(await heard(userId)), `${text} is answered by ${pattern}`);
}

/** Asks in a chat to be linked; returns the path of the board's page to which the answer's button leads. */
async function askToLink(userId) {
  const [, url] = await say(userId, 'link', /"uri":"([^"]*linkToken=[^"]*)"/);
  assert.ok(url.startsWith(at('/')), url);
  return url.slice(at('').length);
}

/** Opens LINE's dialog by the address to which the board's page leads, as LINE does for whoever has this chat. */
async function followToLine(userId, address) {
  const { origin, pathname, searchParams } = new URL(address);
  assert.equal(origin + pathname, 'https://access.line.me/dialog/bot/accountLink');
  const [linkToken, nonce] = ['linkToken', 'nonce'].map((name) => searchParams.get(name));
  await deliver(await stub('visit-account-link', { linkToken, nonce, userId }));
}

module.exports = { newChat, heard, say, askToLink, followToLine };
