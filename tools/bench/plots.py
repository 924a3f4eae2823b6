"""Plots as SVG: bars, each with its name and its number, in colours that are read on light and dark pages."""

from collections.abc import Mapping
from html import escape
from typing import Final

_WIDTH: Final = 760
_LABELS: Final = 170
_NUMBERS: Final = 90
_ROW: Final = 30
_TOP: Final = 44
_TEXT: Final = "#6e7781"
_COLOURS: Final = ("#0969da", "#1a7f37", "#bf8700", "#cf222e", "#8250df", "#57606a", "#0a7ea4")


def bars(title: str, values: Mapping[str, float], unit: str) -> str:
    """Draw one bar for each value."""
    longest = max(values.values(), default=1) or 1
    room = _WIDTH - _LABELS - _NUMBERS
    drawn = []
    for place, (name, value) in enumerate(values.items()):
        top, length = _TOP + place * _ROW, value / longest * room
        drawn.append(_text(_LABELS - 10, top + 15, name, anchor="end"))
        drawn.append(_bar(_LABELS, top, length, _COLOURS[0 if place == 0 else 5]))
        drawn.append(_text(_LABELS + length + 8, top + 15, f"{value:,.3g} {unit}"))
    return _svg(title, drawn, _TOP + len(values) * _ROW + 10)


def stacks(title: str, values: Mapping[str, Mapping[str, float]], unit: str) -> str:
    """Draw one bar for each name, of parts that follow each other, and say which colour is which part."""
    parts = list(dict.fromkeys(part for one in values.values() for part in one))
    colours = {part: _COLOURS[place % len(_COLOURS)] for place, part in enumerate(parts)}
    longest = max((sum(one.values()) for one in values.values()), default=1) or 1
    scale = (_WIDTH - _LABELS - _NUMBERS) / longest
    drawn = []
    for place, (name, shares) in enumerate(values.items()):
        top, left = _TOP + place * _ROW, float(_LABELS)
        drawn.append(_text(_LABELS - 10, top + 15, name, anchor="end"))
        for part, share in shares.items():
            drawn.append(_bar(left, top, max(0.0, share) * scale, colours[part]))
            left += max(0.0, share) * scale
        drawn.append(_text(left + 8, top + 15, f"{sum(shares.values()):,.0f} {unit}"))
    legend = _TOP + len(values) * _ROW + 14
    for place, part in enumerate(parts):
        left, top = _LABELS + place % 3 * 190, legend + place // 3 * 22
        drawn += [_bar(left, top, 12, colours[part], height=12), _text(left + 18, top + 11, part)]
    return _svg(title, drawn, legend + (len(parts) + 2) // 3 * 22 + 6)


def _bar(left: float, top: float, length: float, colour: str, height: int = 20) -> str:
    return f'<rect x="{left:.1f}" y="{top}" width="{length:.1f}" height="{height}" fill="{colour}"/>'


def _text(left: float, top: float, text: str, anchor: str = "start", size: int = 13) -> str:
    where = f'x="{left:.1f}" y="{top}" text-anchor="{anchor}"'
    return f'<text {where} font-size="{size}" fill="{_TEXT}">{escape(text)}</text>'


def _svg(title: str, drawn: list[str], height: float) -> str:
    size = f'viewBox="0 0 {_WIDTH} {height:.0f}" width="{_WIDTH}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="system-ui, sans-serif" role="img">',
        f"<title>{escape(title)}</title>",
        _text(10, 22, title, size=15),
        *drawn,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"
