#!/usr/bin/env python3
"""What notifications cost: streams that are open, how soon news come, and likes, each of which tells somebody.

    bench/run news [STREAMS] [--before BOARD]

A board on SQLite, on loopback. With --before, another build of it (one without notifications, say) takes the same likes in turn,
by wrk (Debian: apt-get install wrk). Prints Markdown."""

import argparse
import asyncio
import json
import re
import statistics
import subprocess
import tempfile
import time
import urllib.request

STREAMS_OF_ONE, NEWS, FEEDS, ROUNDS, SECONDS = 8, 200, 500, 5, 5
LIKES = """
request = function()
  return wrk.format("PATCH", "/api/like/?feed_id=" .. math.random(1, %d), {["authorization"] = "Bearer %s"})
end
"""


class Board:
    def __init__(self, program):
        self.data = tempfile.TemporaryDirectory()
        command = [program, "--listen", "127.0.0.1:0", "--data", self.data.name]
        environment = {"MADANG_LIMITS": "off", "MADANG_LOG": "warn"}
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.url = re.search(r"http://\S+", self.process.stdout.readline()).group()

    def ask(self, method, path, body=None, token=None, kind="application/json"):
        headers = {"content-type": kind} if body else {}
        if token:
            headers["authorization"] = f"Bearer {token}"
        request = urllib.request.Request(self.url + path, body.encode() if body else None, headers, method=method)
        with urllib.request.urlopen(request) as answer:
            return answer.read()

    def user(self, name):
        user = json.dumps({"email": f"{name}@example.com", "password": "correct horse battery", "nickname": name})
        self.ask("POST", "/api/auth/signup", user)
        token = json.loads(self.ask("POST", "/api/auth/login", user))["access_token"]
        return token, json.loads(self.ask("GET", "/api/mypage/profile", token=token))["id"]

    def processor_seconds(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def memory(self):
        return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{self.process.pid}/status").read()).group(1)) / 1024

    def end(self):
        self.process.kill()
        self.process.wait()
        self.data.cleanup()


class Stream:
    """An open stream of a user, with the times at which notifications came."""

    def __init__(self, board, user, token):
        self.board, self.user, self.token, self.came = board, user, token, []

    async def open(self):
        host, port = self.board.url.removeprefix("http://").split(":")
        self.reader, self.writer = await asyncio.open_connection(host, int(port))
        head = f"GET /api/notification/live HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {self.token}\r\n\r\n"
        self.writer.write(head.encode())
        assert b" 200 " in await self.reader.readline()
        self.task = asyncio.create_task(self.listen())

    async def listen(self):
        while line := await self.reader.readline():
            if line.startswith(b"event: notification"):
                self.came.append(time.monotonic())


async def idle(board, seconds=10):
    before = board.processor_seconds()
    await asyncio.sleep(seconds)
    return (board.processor_seconds() - before) / seconds * 100


async def listen(program, count):
    board = Board(program)
    users = [board.user(f"u{n}") for n in range(-(-count // STREAMS_OF_ONE))]
    teller, _ = board.user("teller")
    print(f"Without streams: {board.memory():.0f} MB, {await idle(board):.2f} % of a processor.")
    streams = [Stream(board, *reversed(users[n // STREAMS_OF_ONE])) for n in range(count)]
    for some in range(0, count, 100):
        await asyncio.gather(*(stream.open() for stream in streams[some : some + 100]))
    await asyncio.sleep(1)
    print(f"With {count:,} streams of {len(users)} users: {board.memory():.0f} MB, {await idle(board):.2f} % of a processor.")
    waits = []
    for n in range(NEWS):
        _, user = users[n % len(users)]
        method = "PUT" if n // len(users) % 2 == 0 else "DELETE"
        await asyncio.to_thread(board.ask, method, f"/api/follow/{user}", None, teller)
        answered = time.monotonic()
        if method == "PUT":
            await asyncio.sleep(0.5)
            waits += [stream.came[-1] - answered for stream in streams if stream.user == user]
    waits.sort()
    p50, p99 = waits[len(waits) // 2], waits[len(waits) * 99 // 100]
    print(f"{len(waits):,} notifications: p50 {p50 * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms after the answer to what they tell of.")
    for stream in streams:
        stream.task.cancel()
    board.end()


def likes(programs):
    boards = {name: Board(program) for name, program in programs.items()}
    tokens = {}
    for name, board in boards.items():
        author, _ = board.user("author")
        for n in range(FEEDS):
            body = f"title=Feed+{n}&content=words"
            board.ask("POST", "/api/feed/create", body, author, "application/x-www-form-urlencoded")
        tokens[name], _ = board.user("reader")
    figures = {name: [] for name in boards}
    for number in range(ROUNDS):
        for name in list(boards) if number % 2 == 0 else list(reversed(boards)):
            board = boards[name]
            with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
                script.write(LIKES % (FEEDS, tokens[name]))
                script.flush()
                before = board.processor_seconds()
                command = ["wrk", "-t1", "-c32", f"-d{SECONDS}s", "-s", script.name, board.url]
                text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            assert "Non-2xx" not in text, text
            asked = int(re.search(r"(\d+) requests in", text).group(1))
            figures[name].append((asked / SECONDS, (board.processor_seconds() - before) / asked * 1e6))
            time.sleep(3)  # the worker ends what it has begun
    print(f"\nLikes given and taken back in turn, of {FEEDS} feeds, {ROUNDS} rounds of {SECONDS} s, 32 connections:\n")
    print("| | requests/s | spread | CPU µs/request |\n|---|--:|---|--:|")
    for name, rounds in figures.items():
        rates, cpu = [rate for rate, _ in rounds], statistics.median(cpu for _, cpu in rounds)
        print(f"| {name} | {statistics.median(rates):,.0f} | {min(rates):,.0f} - {max(rates):,.0f} | {cpu:.0f} |")
    for board in boards.values():
        board.end()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("board")
    parser.add_argument("streams", type=int, nargs="?", default=1_000)
    parser.add_argument("--before")
    options = parser.parse_args()
    asyncio.run(listen(options.board, options.streams))
    if options.before:
        likes({"this build": options.board, "the other": options.before})


main()
