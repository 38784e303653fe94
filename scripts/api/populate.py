"""Fills a new board with what schemathesis shall find, and prints it as variables of the shell.

Two users: `fuzz`, whom schemathesis logs in as, and another whose content he may only read.
"""

import json
import sys
import urllib.request

PASSWORD = "correct horse battery"
BASE = sys.argv[1]


def call(method, path, body=None, token=None, content_type="application/json"):
    headers = {"content-type": content_type}
    if token:
        headers["authorization"] = f"Bearer {token}"
    data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(BASE + path, method=method, headers=headers, data=data)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def user(name):
    account = {"email": f"{name}@example.com", "password": PASSWORD, "nickname": name}
    call("POST", "/api/auth/signup", account)
    return call("POST", "/api/auth/login", account)["access_token"]


# A PNG of one pixel.
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)


def feed(token, title):
    boundary = "populate"
    part = "--{}\r\nContent-Disposition: form-data; name=\"{}\"{}\r\n\r\n"
    body = part.format(boundary, "title", "").encode() + title.encode() + b"\r\n"
    body += part.format(boundary, "content", "").encode() + b"content\r\n"
    body += part.format(boundary, "images", '; filename="a.png"').encode() + PIXEL + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    return call("POST", "/api/feed/create", body, token, f"multipart/form-data; boundary={boundary}")


fuzz, other = user("fuzz"), user("other")
for n in range(12):
    own = feed(fuzz, f"feed {n}")
theirs = feed(other, "another's")
comment = {"id": 1}
profile = call("GET", "/api/mypage/profile", token=other)
print(f"MADANG_API_PASSWORD='{PASSWORD}'")
print(f"MADANG_API_FEED={theirs['id']}")
print(f"MADANG_API_COMMENT={comment['id']}")
print(f"MADANG_API_USER={profile['id']}")
print(f"MADANG_API_IMAGE={theirs['image_urls'][0].rsplit('/', 1)[1]}")
