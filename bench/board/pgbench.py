"""The limit: the board's statements as fast as PostgreSQL's own bench can ask them."""

import re
import subprocess
from pathlib import Path

from data import LOGINS

READ = """\\set id random(1, {feeds})
select f.id, f.title, f.content, f.author_id, u.email, u.nickname, f.create_dt, f.update_dt, f.like_count, f.comment_count, (select count(*) from feed_likes l where l.feed_id = f.id and l.user_id = 0) > 0 as liked, i.feed_id, i.image_key, i.extension, i.position, i.width, i.height, i.thumb_width from feeds f join users u on u.id = f.author_id left join images i on i.feed_id = f.id where f.id = :id order by i.position;
"""
COMMENT = """\\set id random(1, {feeds})
\\set user random(1, {logins})
\\set now random(1, 1000000000)
select u.id, u.email, u.nickname, u.token_epoch, u.is_admin, u.create_dt from users u join logins l on l.user_id = u.id where u.id = :user and l.id = :user and u.suspended_dt is null and u.erased_dt is null;
begin;
update feeds set comment_count = comment_count + 1 where id = :id;
update users set comment_count = comment_count + 1 where id = :user;
insert into comments (feed_id, author_id, content, create_dt, update_dt) values (:id, :user, 'So it is, and may it stay so.', :now, :now);
insert into greenlit_outbox (topic, payload, due) values ('bench', '{{}}', :now);
commit;
"""


def pipelined(script):
    """Everything is sent before the first answer is read."""
    lines = script.splitlines()
    first = next(at for at, line in enumerate(lines) if not line.startswith("\\"))
    return "\n".join([*lines[:first], "\\startpipeline", *lines[first:], "\\endpipeline"]) + "\n"


def ended_us(server):
    """What processes of this server that have ended used: pgbench's connections have one each."""
    fields = Path(f"/proc/{server}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[13]) + int(fields[14])) * 10_000.0


def limits(database, server, size, folder, seconds):
    """{name: figures} of each script."""
    scripts = {"read": READ, "comment": COMMENT, "comment, pipelined": pipelined(COMMENT)}
    found = {}
    for name, script in scripts.items():
        file = folder / "pgbench.sql"
        file.write_text(script.format(feeds=size.feeds, logins=LOGINS))
        before, seconds = ended_us(server), max(1, round(seconds))
        command = ["pgbench", "-n", "-M", "prepared", "-c", "10", "-j", "1", "-T", str(seconds), "-f", file, database.url]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        rate = float(re.search(r"tps = ([\d.]+)", said).group(1))
        found[name] = {"rate": rate, "database_us": (ended_us(server) - before) / (rate * seconds)}
        database.clean()
    return found
