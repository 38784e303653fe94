"""Tables and plots of what was measured."""

from plot import bars, lines

DATABASES = {"sqlite": "SQLite", "postgres": "PostgreSQL", "mariadb": "MariaDB"}


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(figure):
    return f"{number(figure['lowest'])} - {number(figure['highest'])}"


def rows_of(routes, base):
    for route, found in routes.items():
        for name, figures in found["sides"].items():
            ratio = found.get("ratio", {}) if name == "madang" else {}
            told = lambda key: f" ({ratio[key]:.2f})" if key in ratio else ""
            yield (f"| {route} | {name} | {number(figures['rate']['median'])}{told('rate')} | {spread(figures['rate'])} "
                   f"| {number(figures['cpu_us']['median'])}{told('cpu_us')} | {spread(figures['cpu_us'])} "
                   f"| {number(figures['database_us']['median'])} | {number(figures['p50_us']['median'] / 1e3)} "
                   f"| {number(figures['p99_us']['median'] / 1e3)} | {number(figures['bytes']['median'])} |")


HEAD = ("| route | | requests/s (ratio) | spread | CPU µs (ratio) | spread | database's CPU µs | p50 ms | p99 ms | bytes |\n"
        "|---|---|--:|---|--:|---|--:|--:|--:|--:|")


def markdown(results):
    parts = []
    machine = results["machine"]
    parts.append(f"{machine['date']}, commit {machine['commit']}, {machine['processors']} processors; {machine['versions']}. "
                 f"{results['rounds']} rounds of {results['seconds']:g} s, seed {results['seed']}. Before it began, the machine "
                 f"by itself used {results['noise']:.3f} of a processor.")
    for kind, found in results.get("peers", {}).items():
        if kind in DATABASES:
            parts.append(f"### {DATABASES[kind]}\n\n{HEAD}\n" + "\n".join(rows_of(found["routes"], "floor")))
    old = results.get("peers", {}).get("old")
    if old:
        both = old | results["peers"]["old list"]
        parts.append("### Times as many as the old design\n\n| route | requests/s | CPU |\n|---|--:|--:|\n" + "\n".join(
            f"| {route} | {found['ratio']['rate']:,.0f} | 1/{1 / found['ratio']['cpu_us']:,.0f} |" for route, found in both.items()
            if "ratio" in found))
    if "pgbench" in results.get("peers", {}):
        parts.append("### pgbench\n\n| | transactions/s | PostgreSQL's CPU µs |\n|---|--:|--:|\n" + "\n".join(
            f"| {name} | {number(found['rate'])} | {number(found['database_us'])} |"
            for name, found in results["peers"]["pgbench"].items()))
    if "pages" in results:
        parts.append(f"### Beside hello, world\n\n{HEAD}\n" + "\n".join(rows_of(results["pages"], "hello")))
    for kind, found in results.get("growth", {}).items():
        sizes = sorted({one["feeds"] for one in found})
        table = {}
        for one in found:
            table.setdefault(one["route"], {})[one["feeds"]] = one["p50_us"]["median"]
        head = " | ".join(f"{size:,}" for size in sizes)
        parts.append(f"### p50 in µs as feeds grow: {DATABASES[kind]}\n\n| route | {head} | 1,000,000 / 10,000 |\n|---|{'--:|' * (len(sizes) + 1)}\n"
                     + "\n".join(
                         f"| {route} | " + " | ".join(number(by[size]) if size in by else "" for size in sizes) + " | "
                         + (f"{by[1_000_000] / by[10_000]:.2f}" if 10_000 in by and 1_000_000 in by else "") + " |"
                         for route, by in table.items()))
    if "durable" in results:
        parts.append(f"### Durable writes of 64 clients\n\n{HEAD}\n" + "\n".join(rows_of(results["durable"], "one fsync each")))
    if "start" in results:
        start = results["start"]
        middle = lambda values: sorted(values)[len(values) // 2]
        parts.append(f"### Start and memory\n\n| | median | highest |\n|---|--:|--:|\n"
                     f"| start to ready, empty folder, ms | {middle(start['ready_ms']):.0f} | {max(start['ready_ms']):.0f} |\n"
                     f"| RSS, idle, MiB | {middle(start['idle_mib']):.1f} | {max(start['idle_mib']):.1f} |\n"
                     f"| RSS, the most under load, MiB | {middle(start['loaded_mib']):.0f} | {max(start['loaded_mib']):.0f} |\n"
                     f"| the program, MB | {start['binary_mb']:.1f} | |")
    return "\n\n".join(parts)


def plots(results):
    """SVGs by file."""
    found = {}
    for kind, peers in results.get("peers", {}).items():
        if kind in DATABASES:
            groups = {route: {name: side["cpu_us"]["median"] for name, side in one["sides"].items()}
                      for route, one in peers["routes"].items() if len(one["sides"]) > 2}
            found[f"cpu-{kind}.svg"] = bars(f"Processor time of a request on {DATABASES[kind]}{'' if kind == 'sqlite' else ', without the server of the database'}", "µs", groups)
    old = results.get("peers", {}).get("old")
    if old:
        groups = {route: {name: one["sides"][name]["rate"]["median"] for name in ["madang", "FastAPI"]}
                  for route, one in (old | results["peers"]["old list"]).items() if "ratio" in one}
        found["old-board.svg"] = bars("The old board's design, and Madang, on PostgreSQL with 100,000 feeds", "requests/s", groups)
    for kind, some in results.get("growth", {}).items():
        series = {}
        for one in some:
            if not one["route"].startswith("timeline "):
                series.setdefault(one["route"], []).append((one["feeds"], one["p50_us"]["median"] / 1e3))
        series = {route: sorted(points) for route, points in series.items()}
        found[f"growth-{kind}.svg"] = lines(f"How long an answer takes as feeds grow: {DATABASES[kind]}", "p50, ms", "feeds", series)
    return found
