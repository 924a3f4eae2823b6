"""What a page of docs/ shows: blocks of commands and of their answers; and whether an answer is as shown."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_ID = re.compile(r"trf_[0-9A-Z]{26}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
REST = "…"


@dataclass
class Act:
    """Commands, and what they are shown to print: kinds and texts of blocks."""

    commands: str
    shown: list[tuple[str, str]] = field(default_factory=list)


def acts(page: Path) -> list[Act]:
    """Give the commands of a page, each with the blocks that follow it."""
    found: list[Act] = []
    for kind, text in _BLOCK.findall(page.read_text()):
        if kind == "sh":
            found.append(Act(text))
        else:
            found[-1].shown.append((kind, text))
    return found


def values(text: str) -> list[Any]:
    """Read JSON values that follow each other, and lines that are none."""
    found, rest, decoder = [], text.strip(), json.JSONDecoder()
    while rest:
        if rest.startswith("{"):
            value, end = decoder.raw_decode(rest)
            rest = rest[end:].strip()
        else:
            value, _, rest = rest.partition("\n")
        found.append(value)
    return found


def events(text: str) -> list[Any]:
    """Read Server-Sent Events; one that is left out is `…`."""
    found: list[Any] = []
    for block in text.strip().split("\n\n"):
        lines = dict(line.partition(": ")[::2] for line in block.splitlines())
        found.append(REST if REST in lines else {**lines, "data": json.loads(lines["data"])})
    return found


def differences(shown: Any, came: Any, place: str = "") -> Iterator[str]:
    """Say where what came is not as shown; ids of transfers, and times, are free."""
    if shown == REST or (isinstance(shown, str) and isinstance(came, str) and _alike(shown, came)):
        return
    if isinstance(shown, dict) and isinstance(came, dict):
        wanted = {key: value for key, value in shown.items() if key != REST}
        missing = wanted.keys() - came.keys()
        more = came.keys() - wanted.keys() if REST not in shown else set()
        if missing or more:
            yield f"{place}: {sorted(missing)} missing, {sorted(more)} not shown"
        for key in wanted.keys() & came.keys():
            yield from differences(wanted[key], came[key], f"{place}.{key}")
    elif isinstance(shown, list) and isinstance(came, list):
        yield from _of_lists(shown, came, place)
    elif shown != came:
        yield f"{place}: {shown!r} is shown, {came!r} came"


def _of_lists(shown: list[Any], came: list[Any], place: str) -> Iterator[str]:
    """Compare from the front up to what is left out, and from the back down to it."""
    if REST not in shown:
        if len(shown) != len(came):
            yield f"{place}: {len(shown)} are shown, {len(came)} came: {came}"
        pairs = list(zip(shown, came, strict=False))
    else:
        front = shown.index(REST)
        back = len(shown) - front - 1
        if len(came) < front + back:
            yield f"{place}: {front + back} or more are shown, {len(came)} came: {came}"
        pairs = [*zip(shown[:front], came, strict=False)]
        pairs += zip(shown[front + 1 :], came[len(came) - back :], strict=False)
    for index, (one, other) in enumerate(pairs):
        yield from differences(one, other, f"{place}[{index}]")


def _alike(shown: str, came: str) -> bool:
    return any(form.fullmatch(shown) and form.fullmatch(came) for form in (_ID, _TIME))
