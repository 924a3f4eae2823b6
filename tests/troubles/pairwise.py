"""Few rows of many factors: chosen so that every two values of two factors meet in one of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import Any

Row = dict[str, Any]


def every(factors: Mapping[str, Sequence[Any]]) -> list[Row]:
    """Give every combination, the last factor changing first."""
    return [dict(zip(factors, values, strict=True)) for values in product(*factors.values())]


def pairwise(factors: Mapping[str, Sequence[Any]]) -> list[Row]:
    """Take the combination that has the most pairs not met yet, until all have met; of equals the least used."""
    rows = [(row, _pairs(row)) for row in every(factors)]
    missing = frozenset[Any]().union(*(pairs for _, pairs in rows))
    chosen: list[Row] = []
    used = Counter[Any]()
    while missing:
        row, pairs = max(rows, key=lambda one: (len(one[1] & missing), -sum(used[pair] for pair in one[1])))
        chosen.append(row)
        missing -= pairs
        used.update(pairs)
    return chosen


def _pairs(row: Row) -> frozenset[Any]:
    return frozenset(combinations(row.items(), 2))
