"""LINE's official SDK for Python against line-stub (STUB_API, STUB_DATA): what it asks for is answered as it expects, what
LINE refuses is refused, it accepts the webhooks that the stub signs, and its models have the properties that the stub takes.
"""

import inspect
import json
import os
import sys
import traceback
import urllib.error
import urllib.request
import uuid
import warnings

# Of the SDK's own dependencies, about themselves.
warnings.simplefilter("ignore")

from linebot.v3 import WebhookParser, messaging, oauth  # noqa: E402
from linebot.v3.exceptions import InvalidSignatureError  # noqa: E402
from linebot.v3.messaging import models  # noqa: E402

API, DATA = os.environ["STUB_API"], os.environ["STUB_DATA"]
USER = f"U{uuid.uuid4().hex}"


def stub(command, body=None):
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    kind = {"content-type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"{API}/_stub/{command}", body, kind)) as answer:
        return json.load(answer)


def client(url, token):
    return messaging.ApiClient(messaging.Configuration(host=url, access_token=token))


CHANNEL = stub("channel")
line = messaging.MessagingApi(client(API, CHANNEL["token"]))
blob = messaging.MessagingApiBlob(client(DATA, CHANNEL["token"]))


def text(words):
    return messaging.TextMessage(text=words)


def flex(contents):
    return messaging.FlexMessage(altText="새 댓글", contents=messaging.FlexContainer.from_dict(contents))


def bubble(words):
    return {"type": "bubble", "body": {"type": "box", "layout": "vertical", "contents": [{"type": "text", "text": words}]}}


def push(*messages, key=None):
    request = messaging.PushMessageRequest(to=USER, messages=list(messages))
    return line.push_message_with_http_info(request, x_line_retry_key=key)


def refused(status, words, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except messaging.ApiException as error:
        assert error.status == status, error
        assert words in str(error.body), error
        return {name.lower(): value for name, value in error.headers.items()}
    raise AssertionError("accepted")


def a_push_is_delivered_once_for_a_retry_key():
    key = str(uuid.uuid4())
    first = push(text("안녕 😀"), flex(bubble("댓글")), key=key)
    assert len(first.data.sent_messages) == 2
    again = refused(409, "The retry key is already accepted", push, text("안녕 😀"), key=key)
    ids = {name.lower(): value for name, value in first.headers.items()}
    assert again["x-line-accepted-request-id"] == ids["x-line-request-id"]
    accepted = [accepted for accepted in stub("accepted") if accepted["retryKey"] == key]
    assert [(accepted["how"], accepted["to"]) for accepted in accepted] == [("push", USER)]
    assert accepted[0]["messages"][0] == {"type": "text", "text": "안녕 😀"}
    refused(400, "retry key", push, text("a"), key="no-uuid")


def a_reply_token_is_good_once():
    token = stub("reply-token", {"userId": USER})["replyToken"]
    request = messaging.ReplyMessageRequest(replyToken=token, messages=[text("a")])
    assert len(line.reply_message(request).sent_messages) == 1
    refused(400, "Invalid reply token", line.reply_message, request)


def a_multicast_reaches_its_friends():
    key = str(uuid.uuid4())
    request = messaging.MulticastRequest(to=[USER, "U" + "f" * 32], messages=[text("모두에게")])
    line.multicast(request, x_line_retry_key=key)
    refused(409, "already accepted", line.multicast, request, x_line_retry_key=key)
    assert [accepted["to"] for accepted in stub("accepted") if accepted["retryKey"] == key] == [USER]


def the_quota_is_told_and_kept():
    assert line.get_message_quota().type == "none"
    usage = line.get_message_quota_consumption().total_usage
    stub("quota", {"quota": usage + 1})
    quota = line.get_message_quota()
    assert (quota.type, quota.value) == ("limited", usage + 1)
    push(text("a"))
    refused(429, "You have reached your monthly limit.", push, text("a"))
    assert line.get_message_quota_consumption().total_usage == usage + 1
    stub("quota", {"quota": None})


def a_friend_has_a_profile():
    profile = line.get_profile(USER)
    assert (profile.user_id, profile.display_name, profile.language) == (USER, "하나", "ko")
    refused(404, "Not found", line.get_profile, "U" + "f" * 32)
    info = line.get_bot_info()
    assert (info.user_id, info.chat_mode) == (CHANNEL["botUserId"], "bot")


def a_link_token_links_an_account_once():
    token = line.issue_link_token(USER).link_token
    visit = {"linkToken": token, "nonce": "n" * 43, "userId": USER}
    results = [stub("visit-account-link", visit)["link"]["result"] for _ in range(2)]
    assert results == ["ok", "failed"]


def content_comes_as_it_was_sent():
    stub("content/88", bytes([1, 2, 255]))
    assert bytes(blob.get_message_content("88")) == bytes([1, 2, 255])
    assert blob.get_message_content_transcoding_by_message_id("88").status == "succeeded"
    refused(404, "Not found", blob.get_message_content, "89")


def a_stateless_token_is_good():
    issuer = oauth.ChannelAccessToken(oauth.ApiClient(oauth.Configuration(host=API)))
    issued = issuer.issue_stateless_channel_token_by_client_secret("1", CHANNEL["secret"])
    assert (issued.token_type, issued.expires_in) == ("Bearer", 900)
    assert messaging.MessagingApi(client(API, issued.access_token)).get_bot_info().user_id == CHANNEL["botUserId"]
    refused(401, "Authentication failed", messaging.MessagingApi(client(API, "another")).get_bot_info)


def what_is_wrong_is_refused_where_it_is_wrong():
    refused(400, "messages[0].text", push, text("가" * 5001))
    carousel = {"type": "carousel", "contents": [bubble("a")]}
    refused(400, "messages[0].contents.contents", push, flex(carousel | {"contents": [bubble("a")] * 13}))
    refused(400, "messages[0].contents.body.contents[0].text", push, flex(bubble("")))
    push(text("가" * 5000), flex(carousel | {"contents": [bubble("a")] * 12}))
    # The SDK drops what its models have not; other clients do not.
    message = {"type": "text", "text": "a", "subject": "b"}
    found = validated(message)
    assert found == [{"message": "unknown field", "property": "messages[0].subject"}], found


def validated(message):
    """What the stub finds wrong with a message that no model made."""
    headers = {"content-type": "application/json", "authorization": f"Bearer {CHANNEL['token']}"}
    url, body = f"{API}/v2/bot/message/validate/push", json.dumps({"messages": [message]}).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers)):
            return []
    except urllib.error.HTTPError as error:
        return json.load(error)["details"]


def webhooks_have_good_signatures_and_events_that_are_known():
    kinds = [
        {"kind": "text", "text": '안녕 😀 "\\'},
        {"kind": "image", "messageId": "1"},
        {"kind": "image-elsewhere", "messageId": "2", "url": "https://example.com/a.png"},
        {"kind": "postback", "data": "like=1"},
        {"kind": "unfollow"},
        {"kind": "follow"},
        {"kind": "unsend", "messageId": "1"},
        {"kind": "account-link", "result": "ok", "nonce": "n" * 43},
        {"kind": "account-link", "result": "failed", "nonce": "n" * 43},
        {"kind": "text", "text": "again", "redelivered": True},
    ]
    events = [stub("event", {"userId": USER} | kind) for kind in kinds]
    parser = WebhookParser(CHANNEL["secret"])
    for escaped in [False, True]:
        hook = stub("webhook", {"events": events, "escaped": escaped})
        body, signature = hook["body"], hook["signature"]
        payload = parser.parse(body, signature, as_payload=True)
        assert payload.destination == CHANNEL["botUserId"]
        names = ["Message", "Message", "Message", "Postback", "Unfollow", "Follow", "Unsend", "AccountLink", "AccountLink", "Message"]
        assert [type(event).__name__ for event in payload.events] == [f"{name}Event" for name in names]
        # A model drops what it does not know and refuses what it misses: the same back is just what LINE would send.
        assert [json.loads(event.to_json()) for event in payload.events] == events
        for index in range(0, len(body), 7):
            other = body[:index] + chr(ord(body[index]) ^ 1) + body[index + 1 :]
            try:
                parser.parse(other, signature)
            except InvalidSignatureError:
                continue
            raise AssertionError(f"character {index} is not signed")
    empty = stub("webhook", {"events": []})
    assert parser.parse(empty["body"], empty["signature"]) == []


# How an object of each of the SDK's kinds stands in a message; `x` is the object.
def in_box(x, layout="vertical"):
    return {"type": "flex", "altText": "a", "contents": {"type": "bubble", "body": {"type": "box", "layout": layout, "contents": [x]}}}


def as_template(x):
    return {"type": "template", "altText": "a", "template": x}


def as_action(x):
    return {"type": "text", "text": "a", "quickReply": {"items": [{"type": "action", "action": x}]}}


def as_bubble(x):
    return {"type": "flex", "altText": "a", "contents": x}


def as_column(x):
    return as_template({"type": "carousel", "columns": [x]})


def as_image_column(x):
    return as_template({"type": "image_carousel", "columns": [x]})


PLACES = {
    "TextMessage TextMessageV2 StickerMessage ImageMessage VideoMessage AudioMessage LocationMessage FlexMessage TemplateMessage": lambda x: x,
    "FlexBubble FlexCarousel": as_bubble,
    "FlexBox FlexButton FlexImage FlexText FlexSeparator FlexFiller": in_box,
    "FlexIcon": lambda x: in_box(x, "baseline"),
    "FlexSpan": lambda x: in_box({"type": "text", "contents": [x]}),
    "FlexVideo": lambda x: as_bubble({"type": "bubble", "hero": x}),
    "FlexBubbleStyles": lambda x: as_bubble({"type": "bubble", "styles": x}),
    "FlexBlockStyle": lambda x: as_bubble({"type": "bubble", "styles": {"body": x}}),
    "FlexBoxLinearGradient": lambda x: in_box({"type": "box", "layout": "vertical", "contents": [], "background": x}),
    "ButtonsTemplate ConfirmTemplate CarouselTemplate ImageCarouselTemplate": as_template,
    "CarouselColumn": as_column,
    "ImageCarouselColumn": as_image_column,
    "PostbackAction MessageAction URIAction DatetimePickerAction ClipboardAction": as_action,
    "CameraAction CameraRollAction LocationAction": as_action,
    "Sender": lambda x: {"type": "text", "text": "a", "sender": x},
    "QuickReply": lambda x: {"type": "text", "text": "a", "quickReply": x},
    "QuickReplyItem": lambda x: {"type": "text", "text": "a", "quickReply": {"items": [x]}},
    "Emoji": lambda x: {"type": "text", "text": "a", "emojis": [x]},
    "EmojiSubstitutionObject MentionSubstitutionObject": lambda x: {"type": "textV2", "text": "{a}", "substitution": {"a": x}},
}
# Parts of a message that the stub does not take or that are no part of one that it takes.
ELSEWHERE = ["Imagemap", "Coupon", "RichMenu", "Pnp", "Narrowcast", "Area"]


def the_stub_takes_the_properties_of_the_models():
    """Every property of every model, and no other: an unknown one is told by name, whatever else is amiss."""
    known = {name: place for names, place in PLACES.items() for name in names.split()}
    bases = {models.Message, models.Action, models.Template, models.FlexComponent, models.FlexContainer}
    for name, model in inspect.getmembers(models, inspect.isclass):
        if bases & set(model.__mro__[1:]) and not any(word in name for word in ELSEWHERE):
            assert name in known, f"{name} is not compared"
    for name, place in known.items():
        fields = getattr(models, name).__fields__
        properties = {field.alias: None for field in fields.values()}
        required = {field.alias for field in fields.values() if field.required}
        given = properties | ({"type": fields["type"].default or "action"} if "type" in fields else {})
        found = unknown(validated(place(given | {"unheardOf": None})))
        assert found == ["unheardOf"], f"{name}: {found}"
        without = {key: value for key, value in given.items() if key == "type"}
        missing = {fault["property"].split(".")[-1] for fault in validated(place(without)) if fault["message"] == "must be specified"}
        assert required - {"type"} <= missing, f"{name} needs {required}, and not only {missing}"


def unknown(faults):
    return [fault["property"].split(".")[-1] for fault in faults if fault["message"] == "unknown field"]


TESTS = [
    a_push_is_delivered_once_for_a_retry_key,
    a_reply_token_is_good_once,
    a_multicast_reaches_its_friends,
    the_quota_is_told_and_kept,
    a_friend_has_a_profile,
    a_link_token_links_an_account_once,
    content_comes_as_it_was_sent,
    a_stateless_token_is_good,
    what_is_wrong_is_refused_where_it_is_wrong,
    webhooks_have_good_signatures_and_events_that_are_known,
    the_stub_takes_the_properties_of_the_models,
]


def main():
    stub("user", {"userId": USER, "displayName": "하나"})
    failed = 0
    for test in TESTS:
        title = test.__name__.replace("_", " ")
        try:
            test()
            print(f"ok - python: {title}")
        except Exception:  # the others shall run too
            failed += 1
            print(f"not ok - python: {title}\n{traceback.format_exc()}")
    print(f"{len(TESTS) - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
