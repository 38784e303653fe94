#!/usr/bin/env python3
"""The board beside its peers; started by bench/run, which builds what is needed and starts the servers. See ../README.md."""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import report
from data import MariaDb, Postgres, Size, Sqlite
from measure import Load, in_turn, noise, ratio, summed
from pgbench import limits
from photo import photos
from sides import FastApi, Madang, Side

BUILD = Path(os.environ["BENCH_BUILD"])
BOARD = Path(os.environ["BENCH_BOARD"])
FOLDER = Path(os.environ["BENCH_FOLDER"])
HERE = Path(__file__).parent

CONNECTIONS = 32
#: The peers' routes, of those that the floor has too; the last ones are of the board and the old design alone.
ROUTES = ["read", "cursor", "comments", "timeline", "create", "comment", "like", "skip", "photo", "large photo", "login"]
OF_FLOOR = {"read", "cursor", "comments", "timeline", "create", "comment", "like", "skip", "list"}
#: Feeds of the peers' databases.
FEEDS = 100_000
GROWTH = [10_000, 100_000, 1_000_000]
#: Fewer connections where a request takes long: they would only wait for each other.
FEW = {"skip": 4, "photo": 4, "large photo": 2, "login": 4}


class Bench:
    def __init__(self, told):
        self.told = told
        self.photos = photos()
        self.requests = FOLDER / "requests"
        self.requests.mkdir(parents=True)
        self.servers = {"postgres": os.environ.get("BENCH_POSTGRES_PID"), "mariadb": os.environ.get("BENCH_MARIADB_PID")}
        self.results = {"noise": noise()}

    def database(self, kind, feeds):
        """A board with so many feeds, and the folder of its data."""
        name = f"bench_{kind}_{feeds}"
        data = FOLDER / name
        data.mkdir()
        match kind:
            case "sqlite":
                database = Sqlite(data, name)
            case "postgres":
                database = Postgres(os.environ["GREENLIT_TEST_POSTGRES"], name)
            case "mariadb":
                database = MariaDb(os.environ["GREENLIT_TEST_MARIADB"], name)
        board = Madang(BOARD, data, database.url)
        board.sign_up()
        board.stop()
        began = time.monotonic()
        database.fill(Size(feeds))
        say(f"{kind}: {feeds:,} feeds were loaded in {time.monotonic() - began:.0f} s")
        return database, data

    def small(self):
        """The board with the fewest feeds, on SQLite."""
        known = FOLDER / f"bench_sqlite_{GROWTH[0]}"
        return (Sqlite(known, ""), known) if known.exists() else self.database("sqlite", GROWTH[0])

    def load(self, feeds):
        folder = self.requests / str(feeds)
        folder.mkdir(exist_ok=True)
        return Load(BUILD / "board-load", folder, Size(feeds), self.photos, self.told.seed)

    def peers(self):
        """The board beside what does the same."""
        found = self.results["peers"] = {}
        for kind in self.told.database:
            database, data = self.database(kind, FEEDS)
            load, server = self.load(FEEDS), self.servers.get(kind)
            sides = [
                Madang(BOARD, data, database.url),
                Side("floor", [BUILD / "board-floor", database.url]),
                Side("sqlx", [BUILD / "board-sqlx", database.url]),
                Side("SeaORM", [BUILD / "board-sea-orm", database.url]),
            ]
            for side in sides[1:]:
                side.routes = OF_FLOOR
            if kind == "postgres":
                sides.append(self.old_board(database))
                found["pgbench"] = limits(database, server, Size(FEEDS), FOLDER, self.told.seconds)

            def one(side, route):
                say(f"{kind}: {route}: {side.name}")
                return load.slice(side, route, FEW.get(route, CONNECTIONS), self.told.seconds, server)

            # What the old design answers ten times a second is not asked of everybody for as long.
            slices = in_turn(sides, ROUTES, self.told.rounds, one, lambda: time.sleep(0.3))
            board = sides[0]
            found[kind] = {"routes": table(slices, "madang", "floor"), "memory_mib": board.memory_mib()}
            if kind == "postgres":
                found["old"] = table(slices, "madang", "FastAPI")
                slices = in_turn([sides[0], sides[-1]], ["list"], self.told.rounds, one)
                found["old list"] = table(slices, "madang", "FastAPI")
            for side in sides:
                side.stop()
            database.clean()

    def old_board(self, database):
        """Loads its tables from the board's, and starts it."""
        subprocess.run(["psql", "-qX", "-o", "/dev/null", "-v", "ON_ERROR_STOP=1", "-f", HERE.parent / "fastapi/fill.sql", database.url],
                       check=True)
        program = [os.environ["BENCH_PYTHON"], HERE.parent / "fastapi/board.py"]
        return FastApi("FastAPI", [*program, "--database", database.url, "--images", FOLDER / "old-images"], {"PYTHONDONTWRITEBYTECODE": "1"})

    def pages(self):
        """What all who are not logged in see, beside a server that says hello."""
        database, data = self.small()
        board, hello = Madang(BOARD, data, database.url), Side("hello", [BUILD / "bench-hello"])
        load = self.load(GROWTH[0])
        found = self.results["pages"] = {}
        for route in ["home", "list"]:
            slices = {}
            for number in range(self.told.rounds * 2):
                for side in [board, hello] if number % 2 == 0 else [hello, board]:
                    asked = route if side is board else "home"
                    slices.setdefault((side.name, route), []).append(load.slice(side, asked, CONNECTIONS, self.told.seconds))
            found |= table(slices, "madang", "hello")
        for side in [board, hello]:
            side.stop()

    def growth(self):
        """How long an answer takes as there are more feeds, and as somebody follows more people."""
        found = self.results["growth"] = {}
        sizes = [*GROWTH, *([10_000_000] if self.told.huge else [])]
        for kind in self.told.database:
            boards = []
            for feeds in sizes:
                name = FOLDER / f"bench_{kind}_{feeds}"
                if name.exists():
                    url = known_url(kind, name)
                else:
                    url = self.database(kind, feeds)[0].url
                boards.append((feeds, Madang(BOARD, name, url, f"madang {feeds}")))
            server, figures = self.servers.get(kind), {}
            routes = ["member list", "cursor", "comments", "timeline", "timeline 100", "timeline 10", "skip"]
            for number in range(self.told.rounds * 2):
                for route in routes:
                    for feeds, board in boards if number % 2 == 0 else reversed(boards):
                        if route.startswith("timeline ") and feeds != 1_000_000:
                            continue
                        one = self.load(feeds).slice(board, route, 1, self.told.seconds / 2, server)
                        figures.setdefault((route, feeds), []).append(one)
            found[kind] = [{"route": route, "feeds": feeds, **summed(slices)} for (route, feeds), slices in figures.items()]
            for _, board in boards:
                board.stop()
            say(f"{kind}: growth is measured")

    def durable(self):
        """Writes that wait for the disk: 64 clients, beside one fsync for each write."""
        found = self.results["durable"] = {}
        slow = FOLDER / "slow_fsync.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", slow, HERE / "slow_fsync.c", "-ldl"], check=True)
        database, data = self.database("sqlite", 20_000)
        load = self.load(20_000)
        for name, more in [("this disk", {}), ("1 ms", {"LD_PRELOAD": str(slow)})]:
            board = Madang(BOARD, data, database.url, **more)
            floor = Side("one fsync each", [BUILD / "board-floor", database.url], more)
            for route in ["comment", "create"]:
                slices = in_turn([board, floor], [route], self.told.rounds * 2, lambda side, route: load.slice(side, route, 64, self.told.seconds),
                                 lambda: time.sleep(0.3))
                found[f"{name}, {route}"] = table(slices, "madang", "one fsync each")[route]
            for side in [board, floor]:
                side.stop()
            database.clean()

    def start(self):
        """From nothing to ready, and what it takes to be there."""
        ready, again, idle, loaded = [], [], [], []
        for number in range(self.told.rounds * 2):
            data = FOLDER / f"start-{number}"
            began = time.monotonic()
            board = Madang(BOARD, data, f"sqlite:{data}/madang.db")
            ready.append((time.monotonic() - began) * 1e3)
            time.sleep(1)
            idle.append(board.memory_mib()[0])
            board.stop()
            began = time.monotonic()
            Madang(BOARD, data, f"sqlite:{data}/madang.db").stop()
            again.append((time.monotonic() - began) * 1e3)
        database, data = self.small()
        for _ in range(2):
            board = Madang(BOARD, data, database.url)
            load = self.load(GROWTH[0])
            for route in ["read", "member list", "comments", "comment", "create", "like", "photo", "login", "home"]:
                load.slice(board, route, FEW.get(route, 64), self.told.seconds)
            loaded.append(board.memory_mib()[1])
            board.stop()
        self.results["start"] = {"ready_ms": ready, "idle_mib": idle, "loaded_mib": loaded, "binary_mb": BOARD.stat().st_size / 1e6}


def known_url(kind, data):
    """The database whose board has this folder, of an earlier phase."""
    match kind:
        case "sqlite":
            return f"sqlite:{data}/madang.db"
        case "postgres":
            return os.environ["GREENLIT_TEST_POSTGRES"].replace("/postgres?", f"/{data.name}?")
        case "mariadb":
            return os.environ["GREENLIT_TEST_MARIADB"].replace("/mysql?", f"/{data.name}?").replace("mariadb:", "mysql:", 1)


def table(slices, side, base):
    """By route: each side's figures, and the ratios of one to another."""
    routes = dict.fromkeys(route for _, route in slices)
    found = {}
    for route in routes:
        found[route] = {"sides": {name: summed(some) for (name, of), some in slices.items() if of == route}}
        if (side, route) in slices and (base, route) in slices:
            ours, theirs = slices[side, route], slices[base, route]
            found[route]["ratio"] = {name: ratio(ours, theirs, name) for name in ["rate", "cpu_us", "database_us", "p50_us"]
                                     if any(one[name] for one in theirs)}
    return found


def say(text):
    print(f"bench/run: {text}", file=sys.stderr, flush=True)


def main():
    phases = ["peers", "pages", "growth", "durable", "start"]
    parser = argparse.ArgumentParser(prog="bench/run all", description=__doc__)
    parser.add_argument("phase", nargs="*", choices=[*phases, []], help="all of them if none is named")
    parser.add_argument("--huge", action="store_true", help="also a board of ten million feeds")
    parser.add_argument("--database", action="append", choices=["sqlite", "postgres", "mariadb"], help="all three if none is named")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2, help="the length of a slice")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="write docs/performance/: results and plots")
    told = parser.parse_args()
    told.database = told.database or ["sqlite", "postgres", "mariadb"]
    bench = Bench(told)
    for phase in told.phase or phases:
        getattr(bench, phase)()
    results = {"machine": json.loads(os.environ["BENCH_MACHINE"]), **bench.results, "seed": told.seed, "rounds": told.rounds,
               "seconds": told.seconds}
    out = FOLDER / "results"
    out.mkdir(exist_ok=True)
    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    for name, plot in report.plots(results).items():
        (out / name).write_text(plot)
    (out / "tables.md").write_text(f"# What `bench/run all` said last\n\n{report.markdown(results)}\n")
    print(report.markdown(results))
    if told.write:
        docs = HERE.parent.parent / "docs/performance"
        docs.mkdir(exist_ok=True)
        for file in out.iterdir():
            (docs / file.name).write_bytes(file.read_bytes())


main()
