"""Plots as SVG: what a table says, to be seen at once. Readable on light and on dark."""

from html import escape
from math import log10

COLOURS = ["#3b7dd8", "#d9822b", "#3a9a5b", "#b04fbf", "#c23b4b", "#7a7a7a"]
WIDTH, HEIGHT, LEFT, TOP, BOTTOM, RIGHT = 760, 340, 78, 72, 56, 36
STYLE = ("text{font:12px system-ui,sans-serif;fill:#666}.title{font-size:15px;font-weight:600}"
         "line{stroke:#8884}rect.back{fill:#8881}")


def _svg(title, series, body):
    keys, x = "", LEFT
    for name, colour in zip(series, COLOURS):
        keys += f'<rect x="{x}" y="34" width="10" height="10" fill="{colour}"/><text x="{x + 14}" y="43">{escape(name)}</text>'
        x += 30 + 7 * len(name)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
            f"<style>{STYLE}</style><text class=\"title\" x=\"{LEFT}\" y=\"20\">{escape(title)}</text>{keys}{body}</svg>\n")


def _log_scale(values, low=None):
    """Whole powers of ten around the values, and where a value stands between them, from 0 to 1."""
    from_, to = int(log10(low or min(values)) // 1), int(-(-log10(max(values)) // 1))
    to = max(to, from_ + 1)
    return range(from_, to + 1), lambda value: (log10(value) - from_) / (to - from_)


def _y_axis(ticks, y, unit):
    lines = ""
    for tick in ticks:
        at = y(10**tick)
        label = f"{10**tick:g}" if tick < 0 else f"{10**tick:,}"
        lines += f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/><text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{label}</text>'
    return lines + f'<text x="6" y="{TOP - 14}">{escape(unit)}</text>'


def bars(title, unit, groups):
    """Groups of bars on a logarithmic scale: {group: {series: value}}."""
    series = list(dict.fromkeys(name for values in groups.values() for name in values))
    ticks, scale = _log_scale([value for values in groups.values() for value in values.values()])
    height = HEIGHT - TOP - BOTTOM
    y = lambda value: TOP + height * (1 - scale(value))
    body, step = _y_axis(ticks, y, unit), (WIDTH - LEFT - RIGHT) / len(groups)
    for at, (group, values) in enumerate(groups.items()):
        x, width = LEFT + at * step, step * 0.8 / len(series)
        for number, name in enumerate(series):
            if name in values:
                top = y(values[name])
                body += (f'<rect x="{x + step * 0.1 + number * width:.1f}" y="{top:.1f}" width="{width * 0.9:.1f}" '
                         f'height="{TOP + height - top:.1f}" fill="{COLOURS[number]}"><title>{escape(f"{group}, {name}: {values[name]:,.4g}")}</title></rect>')
        body += f'<text x="{x + step / 2:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{escape(group)}</text>'
    return _svg(title, series, body)


def lines(title, unit, under, series):
    """Lines on two logarithmic scales: {series: [(x, y), ...]}."""
    points = [point for some in series.values() for point in some]
    ticks, scale = _log_scale([y for _, y in points])
    x_ticks, x_scale = _log_scale([x for x, _ in points])
    height, width = HEIGHT - TOP - BOTTOM, WIDTH - LEFT - RIGHT
    y, x = lambda value: TOP + height * (1 - scale(value)), lambda value: LEFT + width * x_scale(value)
    body = _y_axis(ticks, y, unit)
    for tick in x_ticks:
        body += f'<text x="{x(10**tick):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{10**tick:,}</text>'
    body += f'<text x="{LEFT + width / 2}" y="{HEIGHT - 14}" text-anchor="middle">{escape(under)}</text>'
    for (name, some), colour in zip(series.items(), COLOURS):
        path = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in some)
        body += f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        for at, value in some:
            body += f'<circle cx="{x(at):.1f}" cy="{y(value):.1f}" r="3.5" fill="{colour}"><title>{escape(f"{name}, {at:,}: {value:,.4g}")}</title></circle>'
    return _svg(title, series, body)
