"""What is wrong with a file: the first wrong lines in words, the others counted."""

from typing import Final

from domain.errors import InvalidRequest

#: So many wrong lines are named; the others are counted.
SHOWN: Final = 20


class Problems:
    """What was found so far; of any number of problems it keeps few."""

    def __init__(self) -> None:
        """Start with none."""
        self._first: list[tuple[int, str]] = []
        self._count = 0

    def add(self, number: int, text: str) -> None:
        """Note what is wrong with the line `number`."""
        self._first.append((number, text))
        self._count += 1
        if len(self._first) > 2 * SHOWN:
            self._first = sorted(self._first)[:SHOWN]

    def count_more(self, times: int) -> None:
        """Note so many more, all of them on later lines than SHOWN that were added."""
        self._count += times

    def __bool__(self) -> bool:
        return self._count > 0

    def told(self) -> list[str]:
        """Give one text a line, in order."""
        shown = [f"line {number}: {text}" for number, text in sorted(self._first)[:SHOWN]]
        return [*shown, f"… and {self._count - SHOWN} more."] if self._count > SHOWN else shown


class ImportRefused(InvalidRequest):
    """Lines are wrong, so nothing was taken; `problems` has one text a line, in order."""

    def __init__(self, problems: Problems) -> None:
        """Name the first SHOWN."""
        self.problems = problems.told()
        super().__init__("\n".join(self.problems))
