"""What scripts/measure does once everything is built: measure.py BINARY FOLDER (with photo.jpg in it)."""

import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import time

STARTS = 10
ROUNDS = 3
READS = 1_000
UPLOADS = 20
FEEDS = 100


class Board:
    """The program on a data folder of its own, ended when the block ends."""

    def __init__(self, binary, data):
        self.data = data
        self.command = [binary, "serve", "--listen", "127.0.0.1:0", "--data", data]

    def __enter__(self):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MADANG_")} | {"MADANG_LOG": "warn", "MADANG_LIMITS": "off"}
        began = time.perf_counter()
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True, env=environment)
        self.address = self.process.stdout.readline().split("http://")[1].strip()
        while self.request("GET", "/readyz")[0] != 200:
            time.sleep(0.001)
        self.start_ms = (time.perf_counter() - began) * 1_000
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def request(self, method, path, body=None, kind="application/json", token=None, connection=None):
        connection = connection or http.client.HTTPConnection(self.address, timeout=60)
        headers = {"Content-Type": kind} if body else {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def log_in(self):
        user = {"email": "ann@example.com", "password": "correct horse battery", "nickname": "ann"}
        self.request("POST", "/api/auth/signup", json.dumps(user))
        return json.loads(self.request("POST", "/api/auth/login", json.dumps(user))[1])["access_token"]

    def create(self, token, pictures=()):
        parts = [("title", "t" * 40), ("content", "c" * 500)]
        body = b"".join(f'--X\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n'.encode() for n, v in parts)
        for picture in pictures:
            body += b'--X\r\nContent-Disposition: form-data; name="images"; filename="a"\r\n\r\n' + picture + b"\r\n"
        status, answer = self.request(
            "POST", "/api/feed/create", body + b"--X--\r\n", "multipart/form-data; boundary=X", token
        )
        assert status == 200, answer
        return json.loads(answer)

    def read(self, paths):
        """Reads each path so often, over one connection. Returns requests a second."""
        connection = http.client.HTTPConnection(self.address, timeout=60)
        began = time.perf_counter()
        for number in range(READS):
            status, _ = self.request("GET", paths[number % len(paths)], connection=connection)
            assert status == 200
        return READS / (time.perf_counter() - began)

    def memory(self, name="VmRSS"):
        """In MiB."""
        with open(f"/proc/{self.process.pid}/status") as status:
            line = next(line for line in status if line.startswith(name + ":"))
        return int(line.split()[1]) / 1024


def one_round(binary, data, photo):
    with Board(binary, data) as board:
        time.sleep(1)
        idle = board.memory()
        token = board.log_in()
        logged_in = board.memory()
        for _ in range(FEEDS):
            board.create(token)
        lists = board.read(["/api/feed/list"])
        listed = board.memory()
        feed = board.create(token, [photo[:]])
        after_one = board.memory()
        images = [url[url.index("/images/") :] for url in feed["image_urls"]]
        shown = board.read([f"/api/feed/read/{feed['id']}"] + images)
        read = board.memory()
        began = time.perf_counter()
        for _ in range(UPLOADS):
            board.create(token, [photo])
        seconds = (time.perf_counter() - began) / UPLOADS
        return {
            "RSS, idle for 1 s, MiB": idle,
            "RSS after a signup and a login, MiB": logged_in,
            f"RSS after {READS:,} reads of a list page (10 of {FEEDS} feeds), MiB": listed,
            "RSS after 1 upload of the photo, MiB": after_one,
            f"RSS after {READS:,} reads of a feed and its photo in turn, MiB": read,
            f"RSS after {UPLOADS} more uploads of the photo, one after the other, MiB": board.memory(),
            "RSS, the most at any time, MiB": board.memory("VmHWM"),
            "List pages read one after the other, a second": lists,
            "Feed and photo read in turn, one after the other, a second": shown,
            "Upload of the photo, seconds": seconds,
        }


def main():
    binary, folder = sys.argv[1:]
    with open(os.path.join(folder, "photo.jpg"), "rb") as file:
        photo = file.read()
    starts = []
    for number in range(STARTS):
        with Board(binary, os.path.join(folder, f"start{number}")) as board:
            starts.append(board.start_ms)
    again = []
    for _ in range(STARTS):
        with Board(binary, os.path.join(folder, "start0")) as board:
            again.append(board.start_ms)
    rounds = [one_round(binary, os.path.join(folder, f"round{number}"), photo) for number in range(ROUNDS)]

    print(f"photo: JPEG, 4000 x 3000, {len(photo) / 1e6:.1f} MB\n")
    print("| | median | lowest | highest | runs |\n|---|---|---|---|---|")
    size = os.path.getsize(binary) / 1e6
    print(f"| Size of the program, MB | {size:.1f} | | | |")
    rows = {"Start to ready on an empty folder, ms": starts, "Start to ready on an existing folder, ms": again}
    rows |= {name: [result[name] for result in rounds] for name in rounds[0]}
    for name, values in rows.items():
        places = 2 if values[0] < 2 else 0 if values[0] >= 100 else 1
        middle, low, high = (f"{v:,.{places}f}" for v in (statistics.median(values), min(values), max(values)))
        print(f"| {name} | {middle} | {low} | {high} | {len(values)} |")


main()
