"""The programs that are measured, and what they use of the processors."""

import base64
import hashlib
import hmac
import json
import re
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

from data import LOGINS

KEY = b"the key of the bench, 32 bytes ."
PASSWORD = "correct horse battery"


def token(claims):
    """A JWT of HS256."""
    def text(raw):
        return base64.urlsafe_b64encode(raw).rstrip(b"=")

    now = int(time.time())
    claims = {"iat": now, "nbf": now, "exp": now + 86_400, **claims}
    signed = text(b'{"typ":"JWT","alg":"HS256"}') + b"." + text(json.dumps(claims).encode())
    return (signed + b"." + text(hmac.new(KEY, signed, hashlib.sha256).digest())).decode()


def cpu_us(*processes):
    """What these and their children have used until now, in microseconds."""
    wanted = {str(process) for process in processes}
    nanos = 0
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            parent = (folder / "stat").read_text().rsplit(") ", 1)[1].split()[1]
            if folder.name in wanted or parent in wanted:
                for task in (folder / "task").iterdir():
                    nanos += int((task / "schedstat").read_text().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            pass  # it ended meanwhile
    return nanos / 1_000


class Side:
    """A program that answers, and prints its address when it can."""

    def __init__(self, name, command, environment=None):
        self.name = name
        self.process = subprocess.Popen(
            command, env={"BENCH_KEY": KEY.decode(), **(environment or {})}, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        said = self.process.stdout.readline()
        self.url = re.search(r"http://\S+", said).group()
        self.address = self.url.removeprefix("http://")

    #: Whether it answers a route.
    routes = None

    def answers(self, route):
        return self.routes is None or route in self.routes

    def cursor(self, time_us, feed):
        return f"{time_us}.{feed}"

    def token(self, user):
        return token({"sub": str(user), "sid": user, "epoch": 1})

    def cpu_us(self):
        return cpu_us(self.process.pid)

    def memory_mib(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return tuple(int(re.search(rf"{name}:\s+(\d+)", status).group(1)) / 1024 for name in ("VmRSS", "VmHWM"))

    def ask(self, method, path, body=None, headers=None):
        request = urllib.request.Request(self.url + path, body, headers or {}, method=method)
        with urllib.request.urlopen(request) as answer:
            return answer.read()

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Madang(Side):
    """The board; `data` is its folder, where the bench leaves it its key."""

    def __init__(self, program, data, url, name="madang", **environment):
        data.mkdir(exist_ok=True)
        key = data / "key"
        if not key.exists():
            key.write_text(KEY.hex() + "\n")
            key.chmod(0o600)
        command = [program, "--listen", "127.0.0.1:0", "--data", data, "--database-url", url]
        super().__init__(name, command, {"MADANG_LIMITS": "off", "MADANG_LOG": "warn", **environment})
        while True:  # it says its address before it can answer
            try:
                self.ask("GET", "/readyz")
                return
            except OSError:
                time.sleep(0.01)

    def sign_up(self):
        """The first user, whose password all others have."""
        user = {"email": "user1@example.com", "password": PASSWORD, "nickname": "user1"}
        self.ask("POST", "/api/auth/signup", json.dumps(user).encode(), {"content-type": "application/json"})

    def cursor(self, time_us, feed):
        return base64.urlsafe_b64encode(f"feeds CreateDesc {time_us} {feed}".encode()).rstrip(b"=").decode()

    def token(self, user):
        return token({"sub": str(user), "iss": "madang", "aud": "madang:access", "sid": user, "epoch": 1})


class FastApi(Side):
    """The old board's design."""

    routes = {"read", "list", "skip", "comments", "create", "photo", "large photo", "comment", "like", "login"}

    def token(self, user):
        return token({"sub": f"user{user}@example.com"})


def tokens(side):
    return [side.token(user) for user in range(1, LOGINS + 1)]
