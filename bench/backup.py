#!/usr/bin/env python3
"""A board is backed up, proved and restored; beside it, what copies the same without a proof: SQLite's own backup, and the files.

Usage: bench/backup.py [FEEDS [IMAGES [ROUNDS]]]     100,000 feeds, 2,000 images of 100 KB and 3 rounds if not told

Uses target/release/madang, which `cargo build --release` makes. Prints Markdown, asserts nothing.
"""

import os, random, shutil, sqlite3, statistics, struct, subprocess, sys, tempfile, time, urllib.request, zlib

PROGRAM = os.path.abspath(os.path.join(os.environ.get("CARGO_TARGET_DIR", "target"), "release", "madang"))
FEEDS, IMAGES, ROUNDS = (int(value) for value in (sys.argv[1:] + ["100000", "2000", "3"][len(sys.argv) - 1:]))
NOW = 1_764_000_000_000_000


def run(*arguments):
    """Seconds, and the most memory in MiB."""
    began = time.monotonic()
    child = subprocess.Popen([PROGRAM, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    assert status == 0, arguments
    return time.monotonic() - began, usage.ru_maxrss / 1024


def picture(chance):
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + chance.randbytes(3 * 8) for _ in range(8))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"teSt", chance.randbytes(100_000)) + chunk(b"IEND", b"")


def fill(data):
    """Makes a board by its own program, and fills its tables around it."""
    board = subprocess.Popen([PROGRAM, "--data", data, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True,
                             stderr=subprocess.DEVNULL)
    address = board.stdout.readline().split()[-1]
    urllib.request.urlopen(address + "/readyz").close()
    board.terminate()
    board.wait()
    chance, users = random.Random(1), FEEDS // 10
    db = sqlite3.connect(os.path.join(data, "madang.db"))
    text = "오늘 마당에서 이야기를 나눴다. " * 12
    someone, something = lambda: 1 + chance.randrange(users), lambda: 1 + chance.randrange(FEEDS)
    db.executemany(
        "insert into users (id, email, email_key, nickname, nickname_key, password_hash, token_epoch, create_dt) "
        "values (?, ?, ?, ?, ?, '-', 0, ?)", ((i, f"{i}@x", f"{i}@x", f"u{i}", f"u{i}", NOW) for i in range(1, users + 1)))
    db.executemany("insert into feeds (id, author_id, title, content, create_dt, update_dt) values (?, ?, ?, ?, ?, ?)",
                   ((i, someone(), f"제목 {i}", text + str(i), NOW + i, NOW + i) for i in range(1, FEEDS + 1)))
    db.executemany("insert into comments (feed_id, author_id, content, create_dt, update_dt) values (?, ?, ?, ?, ?)",
                   ((something(), someone(), f"댓글 {i}", NOW + i, NOW + i) for i in range(3 * FEEDS)))
    db.executemany("insert or ignore into feed_likes (feed_id, user_id, create_dt) values (?, ?, ?)",
                   ((something(), someone(), NOW) for _ in range(2 * FEEDS)))
    for _ in range(IMAGES):
        key = chance.randbytes(16).hex()
        with open(os.path.join(data, "images", key[:2], key + ".png"), "wb") as file:
            file.write(picture(chance))
        db.execute("insert into images (image_key, extension, owner_id, feed_id, position, width, height) "
                   "values (?, 'png', ?, ?, 0, 8, 8)", (key, someone(), something()))
    db.commit()
    run("check", "--repair", "--data", data)  # the counts


def peer(data, place):
    began = time.monotonic()
    os.mkdir(place)
    source, copy = sqlite3.connect(os.path.join(data, "madang.db")), sqlite3.connect(os.path.join(place, "madang.db"))
    source.backup(copy)
    shutil.copytree(os.path.join(data, "images"), os.path.join(place, "images"))
    os.sync()
    return time.monotonic() - began, 0


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = lambda name: os.path.join(folder, name)
        data, place, figures = path("data"), path("place"), {}
        fill(data)
        for _ in range(ROUNDS):
            for name, work in [
                ("SQLite's backup and the files", lambda: peer(data, path("peer"))),
                ("backup", lambda: run("backup", place, "--data", data)),
                ("backup again: nothing is new", lambda: run("backup", place, "--data", data)),
                ("proof", lambda: run("backup", place, "--verify-only", "--data", data)),
                ("restore, with check", lambda: run("restore", place, "--data", path("new"))),
            ]:
                figures.setdefault(name, []).append(work())
            for made in ["peer", "place", "new"]:
                shutil.rmtree(path(made))
        print(f"{FEEDS:,} feeds with {3 * FEEDS:,} comments and {2 * FEEDS:,} likes, {IMAGES:,} images of 100 KB; "
              f"{ROUNDS} rounds, load before {os.getloadavg()[0]:.1f}\n")
        print("| | seconds, median | lowest | highest | ratio | most memory, MiB |\n|---|--:|--:|--:|--:|--:|")
        base = statistics.median(seconds for seconds, _ in next(iter(figures.values())))
        for name, rounds in figures.items():
            seconds, memory = [s for s, _ in rounds], max(m for _, m in rounds)
            median = statistics.median(seconds)
            print(f"| {name} | {median:.1f} | {min(seconds):.1f} | {max(seconds):.1f} | {median / base:.1f} | "
                  f"{memory:.0f} |" if memory else
                  f"| {name} | {median:.1f} | {min(seconds):.1f} | {max(seconds):.1f} | 1.0 | |")


main()
