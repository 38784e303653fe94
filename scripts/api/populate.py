"""Fills a new board with what schemathesis shall find.

Two users: `fuzz`, whom schemathesis.toml logs in, and another whose content he may only read.
"""

import json
import sys
import urllib.request

PASSWORD = "correct horse battery"
BASE = sys.argv[1]

# A PNG of one pixel.
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)


def call(method, path, body=None, token=None, content_type="application/json"):
    headers = {"content-type": content_type}
    if token:
        headers["authorization"] = f"Bearer {token}"
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    request = urllib.request.Request(BASE + path, method=method, headers=headers, data=data)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def user(name):
    account = {"email": f"{name}@example.com", "password": PASSWORD, "nickname": name}
    call("POST", "/api/auth/signup", account)
    return call("POST", "/api/auth/login", account)["access_token"]


def feed(token, title):
    parts = [('"title"', title.encode()), ('"content"', b"content"), ('"images"; filename="a.png"', PIXEL)]
    head = b"--populate\r\nContent-Disposition: form-data; name=%s\r\n\r\n%s\r\n"
    body = b"".join(head % (name.encode(), value) for name, value in parts) + b"--populate--\r\n"
    return call("POST", "/api/feed/create", body, token, "multipart/form-data; boundary=populate")["id"]


fuzz, other = user("fuzz"), user("other")
for token in [fuzz] * 12 + [other]:
    last = feed(token, "a feed")
    call("POST", "/api/comment/create", {"content": "a comment", "feed_id": last}, token)
call("PUT", f"/api/like/?feed_id={last}", token=fuzz)
call("PUT", "/api/follow/2", token=fuzz)
call("PUT", "/api/follow/1", token=other)
