"""What is asked: requests as they go over the wire, made once for each side before it is measured."""

import json
import random
import struct
import uuid
from urllib.parse import urlencode

from data import LOGINS
from sides import PASSWORD, tokens

#: Requests of a file, of which one is asked after the other.
MANY = 2_048
CONTENT = "Whoever passes leaves a word, and whoever comes home reads it. 마당은 이웃이 모이는 곳입니다. " * 4


def request(method, path, token=None, body=b"", kind=None):
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1"]
    if token:
        lines.append(f"authorization: Bearer {token}")
    if kind:
        lines += [f"content-type: {kind}", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def skewed(rng, size):
    """A feed, mostly a new one, as comments are."""
    return max(1, size.feeds - int(rng.random() ** 4 * size.feeds))


def read(side, size, rng, _photos):
    return [request("GET", f"/api/feed/read/{rng.randint(1, size.feeds)}") for _ in range(MANY)]


def list_(_side, _size, _rng, _photos):
    return [request("GET", "/api/feed/list")]


def cursor(side, size, rng, _photos):
    deep = [rng.randint(size.feeds // 4, size.feeds // 2) for _ in range(64)]
    return [request("GET", f"/api/feed/list?cursor={side.cursor(size.created(feed), feed)}") for feed in deep]


def skip(_side, size, rng, _photos):
    return [request("GET", f"/api/feed/list?skip={rng.randint(size.feeds // 2, size.feeds // 2 + 1_000)}") for _ in range(64)]


def comments(_side, size, rng, _photos):
    return [request("GET", f"/api/comment/feed/{skewed(rng, size)}") for _ in range(MANY)]


def member_list(side, _size, _rng, _photos):
    return [request("GET", "/api/feed/list", one) for one in tokens(side)]


def timeline(side, _size, _rng, _photos, user=2):
    return [request("GET", "/api/feed/timeline", side.token(user))]


def timeline_100(side, size, rng, photos):
    return timeline(side, size, rng, photos, user=3)


def timeline_10(side, size, rng, photos):
    return timeline(side, size, rng, photos, user=4)


def create(side, _size, rng, _photos):
    form = urlencode({"title": "A new feed", "content": CONTENT}).encode()
    return [request("POST", "/api/feed/create", one, form, "application/x-www-form-urlencoded") for one in tokens(side)]


def photo(side, size, rng, photos, name="photo"):
    boundary = uuid.UUID(int=rng.getrandbits(128)).hex
    parts = [("title", None, b"A photo"), ("content", None, CONTENT.encode()), ("images", "photo.jpg", photos[name])]
    body = b""
    for field, file, value in parts:
        named = f'; filename="{file}"\r\ncontent-type: image/jpeg' if file else ""
        body += f'--{boundary}\r\ncontent-disposition: form-data; name="{field}"{named}\r\n\r\n'.encode() + value + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    some = tokens(side)[:8]
    return [request("POST", "/api/feed/create", one, body, f"multipart/form-data; boundary={boundary}") for one in some]


def large_photo(side, size, rng, photos):
    return photo(side, size, rng, photos, "large photo")


def comment(side, size, rng, _photos):
    some = tokens(side)
    body = [json.dumps({"content": "So it is, and may it stay so.", "feed_id": rng.randint(1, size.feeds)}).encode() for _ in range(MANY)]
    return [request("POST", "/api/comment/create", some[at % LOGINS], one, "application/json") for at, one in enumerate(body)]


def like(side, size, _rng, _photos):
    return [request("PATCH", f"/api/like/?feed_id={size.feeds}", one) for one in tokens(side)]


def login(_side, _size, _rng, _photos):
    users = [{"email": f"user{user}@example.com", "password": PASSWORD} for user in range(1, LOGINS + 1)]
    return [request("POST", "/api/auth/login", body=json.dumps(user).encode(), kind="application/json") for user in users]


def home(_side, _size, _rng, _photos):
    return [request("GET", "/")]


ROUTES = {
    "read": read, "list": list_, "cursor": cursor, "skip": skip, "comments": comments,
    "member list": member_list, "timeline": timeline, "timeline 100": timeline_100, "timeline 10": timeline_10, "create": create,
    "photo": photo, "large photo": large_photo, "comment": comment, "like": like, "login": login, "home": home,
}
WRITES = {"create", "photo", "large photo", "comment", "like", "login"}


def write_requests(file, route, side, size, photos, seed):
    requests = ROUTES[route](side, size, random.Random(f"{seed} {route}"), photos)
    file.write_bytes(b"".join(struct.pack("<I", len(one)) + one for one in requests))
