// LINE's official SDK for Node against line-stub (STUB_API, STUB_DATA): what it asks for is answered as it expects, what LINE
// refuses is refused, and it accepts the webhooks that the stub signs.
import { createRequire } from 'node:module';
import { Buffer } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import assert from 'node:assert/strict';

// By NODE_PATH, which `import` does not know.
const { messagingApi, validateSignature, HTTPFetchError } = createRequire(import.meta.url)('@line/bot-sdk');
const { STUB_API: api, STUB_DATA: data } = process.env;

async function stub(command, body) {
  const raw = body instanceof Buffer || typeof body === 'string';
  const response = await fetch(`${api}/_stub/${command}`, body === undefined ? {} : {
    method: 'POST',
    headers: { 'content-type': raw ? 'image/png' : 'application/json' },
    body: raw ? body : JSON.stringify(body),
  });
  assert.equal(response.status, 200, `${command}: ${response.status}`);
  return response.json();
}

const channel = await stub('channel');
const client = new messagingApi.MessagingApiClient({ channelAccessToken: channel.token, baseURL: api });
const blob = new messagingApi.MessagingApiBlobClient({ channelAccessToken: channel.token, baseURL: data });
const user = `U${randomUUID().replaceAll('-', '')}`;
const text = (words) => ({ type: 'text', text: words });
const box = (...contents) => ({ type: 'box', layout: 'vertical', contents });
const bubble = (words) => ({ type: 'bubble', body: box({ type: 'text', text: words }) });
const flex = (contents) => ({ type: 'flex', altText: '새 댓글', contents });
const push = (messages, key) => client.pushMessageWithHttpInfo({ to: user, messages }, key);

/** LINE refuses it with this status, and with these words in the body. */
async function refused(promise, status, words = '') {
  const error = await promise.then(() => assert.fail('accepted'), (error) => error);
  assert.ok(error instanceof HTTPFetchError, String(error));
  assert.equal(error.status, status, error.body);
  assert.ok(error.body.includes(words), `${words} is not in ${error.body}`);
  return error;
}

const tests = {
  async 'a push is delivered once for a retry key'() {
    const key = randomUUID();
    const first = await push([text('안녕 😀'), flex(bubble('댓글'))], key);
    assert.equal(first.body.sentMessages.length, 2);
    const again = await refused(push([text('안녕 😀')], key), 409, 'The retry key is already accepted');
    assert.equal(again.headers.get('x-line-accepted-request-id'), first.httpResponse.headers.get('x-line-request-id'));
    const accepted = (await stub('accepted')).filter((accepted) => accepted.retryKey === key);
    assert.deepEqual(accepted.map(({ how, to, messages }) => [how, to, messages.length]), [['push', user, 2]]);
    await refused(push([text('a')], 'no-uuid'), 400);
  },
  async 'a reply token is good once'() {
    const { replyToken } = await stub('reply-token', { userId: user });
    const sent = await client.replyMessage({ replyToken, messages: [text('a')] });
    assert.equal(sent.sentMessages.length, 1);
    await refused(client.replyMessage({ replyToken, messages: [text('a')] }), 400, 'Invalid reply token');
  },
  async 'a multicast reaches its friends'() {
    const key = randomUUID();
    const stranger = `U${'f'.repeat(32)}`;
    await client.multicast({ to: [user, stranger], messages: [text('모두에게')] }, key);
    await refused(client.multicast({ to: [user], messages: [text('모두에게')] }, key), 409);
    assert.equal((await stub('accepted')).filter((accepted) => accepted.retryKey === key).length, 1);
  },
  async 'the quota is told and kept'() {
    assert.deepEqual(await client.getMessageQuota(), { type: 'none' });
    const { totalUsage } = await client.getMessageQuotaConsumption();
    await stub('quota', { quota: totalUsage + 1 });
    assert.deepEqual(await client.getMessageQuota(), { type: 'limited', value: totalUsage + 1 });
    await push([text('a')]);
    await refused(push([text('a')]), 429, 'You have reached your monthly limit.');
    assert.equal((await client.getMessageQuotaConsumption()).totalUsage, totalUsage + 1);
    await stub('quota', { quota: null });
  },
  async 'a friend has a profile'() {
    assert.deepEqual(await client.getProfile(user), { userId: user, displayName: '하나', language: 'ko' });
    await refused(client.getProfile(`U${'f'.repeat(32)}`), 404);
    assert.equal((await client.getBotInfo()).userId, channel.botUserId);
  },
  async 'a link token links an account once'() {
    const { linkToken } = await client.issueLinkToken(user);
    const visit = () => stub('visit-account-link', { linkToken, nonce: 'n'.repeat(43), userId: user });
    assert.equal((await visit()).link.result, 'ok');
    assert.equal((await visit()).link.result, 'failed');
  },
  async 'content comes as it was sent'() {
    await stub('content/77', Buffer.from([1, 2, 255]));
    const pieces = [];
    for await (const piece of await blob.getMessageContent('77')) pieces.push(piece);
    assert.deepEqual(Buffer.concat(pieces), Buffer.from([1, 2, 255]));
    await refused(blob.getMessageContent('78').then((stream) => stream.toArray()), 404);
  },
  async 'what is wrong is refused where it is wrong'() {
    const button = (action) => flex({ type: 'bubble', footer: box({ type: 'button', action }) });
    const bad = [
      [text('가'.repeat(5001)), 'messages[0].text'],
      [text('a\ud83d'), 'JSON'],
      [{ ...text('a'), subject: 'b' }, 'messages[0].subject'],
      [flex({ type: 'carousel', contents: Array(13).fill(bubble('a')) }), 'messages[0].contents.contents'],
      [flex({ type: 'bubble', body: { ...box(), colour: '#000000' } }), 'messages[0].contents.body.colour'],
      [flex(bubble('')), 'messages[0].contents.body.contents[0].text'],
      [button({ type: 'postback', label: 'a', data: 'b'.repeat(301) }), 'action.data'],
      [button({ type: 'uri', label: 'a', uri: 'javascript:alert(1)' }), 'action.uri'],
      [{ type: 'image', originalContentUrl: 'http://example.com/a', previewImageUrl: 'https://example.com/a' }, 'originalContentUrl'],
    ];
    for (const [message, place] of bad) await refused(push([message]), 400, place);
    await refused(push(Array(6).fill(text('a'))), 400, 'messages');
    await push([text('가'.repeat(5000)), flex({ type: 'carousel', contents: Array(12).fill(bubble('a')) })]);
  },
  async 'messages are validated without being sent'() {
    const before = (await stub('accepted')).length;
    await client.validatePush({ messages: [text('a')] });
    await client.validateReply({ messages: [flex(bubble('a'))] });
    await client.validateMulticast({ messages: [text('a')] });
    await refused(client.validatePush({ messages: [text('')] }), 400);
    assert.equal((await stub('accepted')).length, before);
  },
  async 'nobody asks without a token'() {
    const stranger = new messagingApi.MessagingApiClient({ channelAccessToken: 'another', baseURL: api });
    await refused(stranger.getBotInfo(), 401);
  },
  async 'webhooks have good signatures'() {
    const kinds = [
      { kind: 'text', text: '안녕 😀 "\\' }, { kind: 'image', messageId: '1' }, { kind: 'postback', data: 'like=1' },
      { kind: 'image-elsewhere', messageId: '2', url: 'https://example.com/a.png' }, { kind: 'unsend', messageId: '1' },
      { kind: 'unfollow' }, { kind: 'follow' }, { kind: 'text', text: 'again', redelivered: true },
      { kind: 'account-link', result: 'ok', nonce: 'n'.repeat(43) },
      { kind: 'account-link', result: 'failed', nonce: 'n'.repeat(43) },
    ];
    const events = [];
    for (const kind of kinds) events.push(await stub('event', { userId: user, ...kind }));
    for (const some of [events, []]) {
      for (const escaped of [false, true]) {
        const { body, signature } = await stub('webhook', { events: some, escaped });
        assert.deepEqual(JSON.parse(body), { destination: channel.botUserId, events: some });
        assert.ok(validateSignature(body, channel.secret, signature));
        const bytes = Buffer.from(body);
        for (let index = 0; index < bytes.length; index += 7) {
          bytes[index] ^= 1;
          assert.ok(!validateSignature(bytes, channel.secret, signature), `byte ${index} is not signed`);
          bytes[index] ^= 1;
        }
        assert.ok(!validateSignature(body, 'another secret', signature));
      }
    }
    const bytes = Buffer.from([0, 255, 13, 10]);
    assert.ok(validateSignature(bytes, channel.secret, (await stub('sign', bytes)).signature));
  },
};

await stub('user', { userId: user, displayName: '하나' });
let failed = 0;
for (const [title, test] of Object.entries(tests)) {
  try {
    await test();
    console.log(`ok - node: ${title}`);
  } catch (error) {
    failed += 1;
    console.log(`not ok - node: ${title}\n${String(error.stack).replaceAll(/^/gm, '  ')}`);
  }
}
console.log(`${Object.keys(tests).length - failed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
