#!/usr/bin/env python3
"""The first page of a board for people who are not logged in, beside an axum server that says hello.

    bench/run home [ROUNDS]

Both on loopback, asked in turn by wrk (Debian: apt-get install wrk) over 32 connections from one thread, which shares the
machine's processors with them. Prints Markdown."""

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

BOARD, HELLO, ROUNDS = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 5
SECONDS, CONNECTIONS, FEEDS = 5, 32, 1_000


def start(command, environment):
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    address = re.search(r"http://\S+", process.stdout.readline()).group()
    return process, address


def ask(url, body=None, token=None):
    headers = {"content-type": "application/json"} if body else {}
    if token:
        headers["authorization"] = f"Bearer {token}"
        headers["content-type"] = "application/x-www-form-urlencoded"
    data = body.encode() if body else None
    with urllib.request.urlopen(urllib.request.Request(url, data, headers)) as answer:
        return answer.read()


def fill(board):
    user = {"email": "a@example.com", "password": "correct horse battery", "nickname": "a"}
    ask(f"{board}/api/auth/signup", json.dumps(user))
    token = json.loads(ask(f"{board}/api/auth/login", json.dumps(user)))["access_token"]
    for n in range(FEEDS):
        ask(f"{board}/api/feed/create", f"title=Feed+{n}&content=Some+words+of+feed+{n}", token)


def processor_seconds(process):
    fields = open(f"/proc/{process.pid}/stat").read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def rate(process, url):
    before = processor_seconds(process)
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in text and "Socket errors" not in text, text
    asked = int(re.search(r"(\d+) requests in", text).group(1))
    p99 = re.search(r"99%\s+(\S+)", text).group(1)
    return asked / SECONDS, (processor_seconds(process) - before) / asked * 1e6, p99


def main():
    with tempfile.TemporaryDirectory() as data:
        environment = {"MADANG_LIMITS": "off", "MADANG_LOG": "warn"}
        board, board_url = start([BOARD, "--listen", "127.0.0.1:0", "--data", data], environment)
        hello, hello_url = start([HELLO], {})
        try:
            time.sleep(0.5)
            fill(board_url)
            size = len(ask(f"{board_url}/"))
            sides = {"home page": (board, f"{board_url}/"), "hello, world": (hello, f"{hello_url}/")}
            figures = {name: [] for name in sides}
            for round_number in range(ROUNDS):
                order = list(sides) if round_number % 2 == 0 else list(reversed(sides))
                for name in order:
                    figures[name].append(rate(*sides[name]))
        finally:
            board.kill()
            hello.kill()
    print(f"{size:,} bytes of HTML with 20 of {FEEDS:,} feeds; {ROUNDS} rounds of {SECONDS} s, {CONNECTIONS} connections\n")
    print("| | requests/s | spread | CPU µs/request | p99 |\n|---|--:|---|--:|--:|")
    for name, rounds in figures.items():
        rates = [figure[0] for figure in rounds]
        cpu = statistics.median(figure[1] for figure in rounds)
        print(f"| {name} | {statistics.median(rates):,.0f} | {min(rates):,.0f} - {max(rates):,.0f} | {cpu:.1f} | {rounds[-1][2]} |")
    ratios = [home[0] / plain[0] for home, plain in zip(figures["home page"], figures["hello, world"])]
    print(f"\nRatio {statistics.median(ratios):.2f} ({min(ratios):.2f} - {max(ratios):.2f})")


main()
