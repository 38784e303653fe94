"""Slices of load on one side, and what they add up to."""

import json
import statistics
import subprocess
import time
from pathlib import Path

from routes import write_requests
from sides import cpu_us


class Load:
    """The program that asks."""

    def __init__(self, program, folder, size, photos, seed):
        self.program, self.folder, self.size, self.photos, self.seed = program, folder, size, photos, seed
        self.files = {}

    def file(self, side, route):
        """The requests, which are made once."""
        if (side.name, route) not in self.files:
            file = self.folder / f"{side.name} {route}".replace(" ", "-").replace(",", "")
            write_requests(file, route, side, self.size, self.photos, self.seed)
            self.files[side.name, route] = file
        return self.files[side.name, route]

    def slice(self, side, route, connections, seconds, server=None, rate=None):
        """Asks for a while. `server` is the process of the database."""
        command = [self.program, side.address, self.file(side, route), str(connections), str(seconds)]
        others = lambda: [side.cpu_us(), cpu_us(server) if server else 0.0, busy_us()]
        before = others()
        said = subprocess.run([*command, *([str(rate)] if rate else [])], capture_output=True, text=True, check=True).stdout
        used = [after - before for before, after in zip(before, others())]
        told = json.loads(said)
        statuses, answers = told["statuses"], told["answers"]
        if told["failed"] or set(statuses) != {"200"}:
            raise SystemExit(f"bench: {side.name} answered {route} with {statuses}, and {told['failed']} times not at all")
        return {
            "rate": answers / told["seconds"], "cpu_us": used[0] / answers, "database_us": used[1] / answers,
            "p50_us": told["p50_us"], "p99_us": told["p99_us"], "bytes": told["bytes"] / answers,
            # What somebody else than these used of the machine.
            "busy": used[2] / told["seconds"] / 1e6,
        }


def busy_us():
    """What everything on this machine has used of its processors."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    busy = sum(int(field) for at, field in enumerate(fields[:8]) if at not in (3, 4))
    return busy * 10_000.0


def in_turn(sides, routes, rounds, slice_of, settle=lambda: None):
    """Slices of all sides in turn, each route for itself, the order turned round each time; by (side, route)."""
    slices = {}
    for number in range(rounds):
        for route in routes:
            asked = [side for side in sides if side.answers(route)]
            for side in asked if number % 2 == 0 else reversed(asked):
                slices.setdefault((side.name, route), []).append(slice_of(side, route))
                settle()
    return slices


def summed(slices):
    """Median, lowest and highest of each figure."""
    return {
        name: {"median": statistics.median(one[name] for one in slices), "lowest": min(one[name] for one in slices),
               "highest": max(one[name] for one in slices)}
        for name in slices[0]
    }


def ratio(slices, base, figure):
    """The median of the ratios of slices that followed each other."""
    return statistics.median(one[figure] / other[figure] for one, other in zip(slices, base) if other[figure])


def noise():
    """How much the machine does by itself in a second, as a share of one processor."""
    before = busy_us()
    time.sleep(2)
    return (busy_us() - before) / 2e6
