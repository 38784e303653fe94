"""Databases of the bench, and the rows in them. The schema is the board's own, which it makes when it starts."""

import re
import sqlite3
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).parent
EPOCH_US = 1_760_000_000_000_000
LOGINS = 64  # users who ask
USERS = 10_000


@dataclass(frozen=True)
class Size:
    """How much there is of everything."""

    feeds: int
    users: int = USERS

    @property
    def numbers(self):
        feeds, users = self.feeds, self.users
        return {"users": users, "feeds": feeds, "comments": feeds, "likes": feeds, "follows": users * 10, "logins": LOGINS,
                "epoch": EPOCH_US}

    def created(self, feed):
        """When a feed was written."""
        return EPOCH_US + feed * 1_000_000


class Database:
    """One that a peer can be started on."""

    def __init__(self, url):
        self.url = url

    def statements(self, size):
        text = re.sub(r"--.*", "", (HERE / "data.sql").read_text())
        for name, value in size.numbers.items():
            text = text.replace(f"{{{name}}}", str(value))
        text = re.sub(r"\{random:(\d)\}", r"((s.i * 48271 + \1 * 7907161) % 2147483647 % 1048576)", text)
        text = re.sub(r"\{series:(\d+) (\d+)\}", lambda found: self.series(*found.groups()), text)
        return [one.strip() for one in text.replace("{div}", self.divide).split(";") if one.strip()]

    divide = "/"


class Sqlite(Database):
    kind = "sqlite"

    def __init__(self, folder, _name):
        self.path = folder / "madang.db"
        super().__init__(f"sqlite:{self.path}")

    @staticmethod
    def series(first, last):
        return f"(with recursive g(i) as (select {first} union all select i + 1 from g where i < {last}) select i from g)"

    def fill(self, size):
        with sqlite3.connect(self.path, isolation_level=None) as db:
            # Sorting a million rows needs memory, and a crash meanwhile only a new start.
            db.execute("pragma cache_size = -400000")
            db.execute("pragma synchronous = off")
            for statement in ["begin", *self.statements(size), "commit", "analyze", "pragma wal_checkpoint(truncate)"]:
                db.execute(statement)
        db.close()

    def clean(self):
        with sqlite3.connect(self.path, timeout=30) as db:
            db.execute("delete from greenlit_outbox where topic = 'bench'")
        db.close()


class Postgres(Database):
    kind = "postgres"

    def __init__(self, server, name):
        super().__init__(re.sub(r"/postgres\?", f"/{name}?", server))
        subprocess.run(["psql", "-qX", server, "-c", f"create database {name}"], check=True)

    @staticmethod
    def series(first, last):
        return f"(select i from generate_series({first}::bigint, {last}) as g(i))"

    def run(self, statements):
        text = ";\n".join(statements) + ";\n"
        subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", self.url], input=text, text=True, check=True)

    def fill(self, size):
        tables = ["users", "logins", "feeds", "comments", "images", "follows"]
        # The ids that come next.
        next_ids = [f"select setval(pg_get_serial_sequence('{t}', 'id'), (select max(id) from {t}))" for t in tables]
        self.run(["\\o /dev/null\nset session_replication_role = replica", *self.statements(size), *next_ids, "vacuum analyze"])

    def clean(self):
        self.run(["delete from greenlit_outbox where topic = 'bench'"])


class MariaDb(Database):
    kind = "mariadb"
    divide = "div"

    def __init__(self, server, name):
        super().__init__(re.sub(r"^mariadb", "mysql", re.sub(r"/mysql\?", f"/{name}?", server)))
        self.name = name
        self.port = str(urlsplit(server).port)
        self.run([f"create database {name} character set utf8mb4"], None)

    @staticmethod
    def series(first, last):
        return f"(select cast(seq as signed) as i from seq_{first}_to_{last})"

    def run(self, statements, database):
        command = ["mariadb", "--no-defaults", "-h", "127.0.0.1", "-P", self.port, "-u", "root", *([database] if database else [])]
        text = ";\n".join(["set session sql_mode = 'PIPES_AS_CONCAT'", *statements]) + ";\n"
        subprocess.run(command, input=text, text=True, check=True, stdout=subprocess.DEVNULL)

    def fill(self, size):
        tables = "users, logins, feeds, comments, feed_likes, images, follows, totals"
        fast = ["set session foreign_key_checks = 0", "set session unique_checks = 0"]
        self.run([*fast, *self.statements(size), f"analyze table {tables}"], self.name)

    def clean(self):
        self.run(["delete from greenlit_outbox where topic = 'bench'"], self.name)
