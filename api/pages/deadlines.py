"""A deadline as a file that calendars take (RFC 5545)."""

from datetime import UTC, datetime

from icalendar import Calendar, Event
from starlette.responses import Response


def calendar(uid: str, said: str, at: datetime, address: str) -> Response:
    """Give an entry that is `said` at a moment, and leads to an address; the same `uid` is the same entry again."""
    event = Event()
    event.add("uid", f"{uid}@handover")
    event.add("dtstamp", datetime.now(UTC))
    event.add("dtstart", at.astimezone(UTC))
    event.add("summary", said)
    event.add("url", address)
    file = Calendar()
    file.add("prodid", "-//Handover//EN")
    file.add("version", "2.0")
    file.add_component(event)
    headers = {"Content-Disposition": 'attachment; filename="deadline.ics"'}
    return Response(file.to_ical(), media_type="text/calendar; charset=utf-8", headers=headers)
