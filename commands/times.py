"""The API's times as people read them: moments, deadlines, spans."""

from datetime import UTC, datetime


def until(moment: str | None) -> str:
    """Spell a deadline as the end of a sentence; the empty text where there is none."""
    if moment is None:
        return ""
    left = (datetime.fromisoformat(moment) - datetime.now(UTC)).total_seconds()
    return f", until {time(moment)}" + (f" (in {_span(left)})" if left > 0 else "")


def ago(moment: str, direction: int = 1) -> str:
    """Spell how long ago a moment was; with -1, how long it is until then."""
    return _span(direction * (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())


def time(moment: str | None) -> str:
    """Spell a moment in UTC; the empty text where there is none."""
    return f"{datetime.fromisoformat(moment).astimezone(UTC):%Y-%m-%d %H:%M:%SZ}" if moment else ""


def span(begin: str | None, end: str | None) -> str:
    """Spell how long something took; the empty text where it has not ended, or never began."""
    if begin is None or end is None:
        return ""
    return _span((datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds())


def _span(seconds: float) -> str:
    """Spell a span of time by its two largest units."""
    left, parts = max(int(seconds), 0), []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        number, left = divmod(left, size)
        if number:
            parts.append(f"{number}{unit}")
    return " ".join(parts[:2]) or "0s"
