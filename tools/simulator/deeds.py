"""What a simulated charge point does when it is told something, in whichever version of OCPP: on disk first."""

from collections.abc import Mapping

from tools.simulator.body import Body
from tools.simulator.faults import Fault, Step
from tools.simulator.settings import Setting


class Deeds:
    """The deeds of one charge point; each gives the status of its answer."""

    def __init__(self, station: Body) -> None:
        """Act for `station`."""
        self._station = station
        self._step = Step.ROTATE
        """What the latest key was for."""

    def take_key(self, key: str, *, unknown: str) -> str:
        """Take a new key on, or do what its faults make of it; `unknown` is the status of a setting it has not."""
        station, struck = self._station, self._station.struck
        step = self._step = station.state.key_step
        if struck.has(Fault.NOT_SUPPORTED, step):
            return unknown
        if struck.has(Fault.REJECT, step):
            return "Rejected"
        if struck.has(Fault.LIE, step):
            return "Accepted"
        if struck.has(Fault.REBOOT_REQUIRED, step):
            station.state.next_password = key
            station.save()
            return "RebootRequired"
        station.take_password(key)
        return "Accepted"

    async def come_back(self, key: str) -> None:
        """Come back with a key that was taken on, in its own way."""
        station = self._station
        if station.state.password != key or station.struck.has(Fault.NEVER_CLOSE, self._step):
            return
        if station.struck.has(Fault.TWO_SOCKETS, self._step):
            station.open_another()
        else:
            await station.reconnect()

    def set_available(self, *, available: bool) -> str:
        """Let sessions start or not; a running one ends first."""
        station = self._station
        if station.struck.has(Fault.REJECT, Step.RELEASE if available else Step.QUIET):
            return "Rejected"
        station.state.available = available
        station.save()
        return "Scheduled" if not available and station.state.session is not None else "Accepted"

    def take_list(self, version: int, *, full: bool, entries: Mapping[str, str | None]) -> str:
        """Replace the local list, or change it: the status of each tag, None to take it out."""
        station, state, settings = self._station, self._station.state, self._station.settings
        wanted = {} if full else dict(state.local_list)
        for tag, status in entries.items():
            if status is None:
                wanted.pop(tag, None)
            else:
                wanted[tag] = status
        too_many = len(entries) > station.list_part or len(wanted) > int(settings.get(Setting.LIST_LENGTH))
        if too_many or not settings.is_on(Setting.LIST_ENABLED) or station.struck.has(Fault.REJECT, Step.LISTS):
            return "Failed"
        if not full and version <= state.list_version:
            return "VersionMismatch"
        state.local_list, state.list_version = wanted, version
        station.save()
        return "Accepted"

    def put(self, setting: Setting, value: str) -> str:
        """Set something."""
        status = self._station.settings.put(setting, value)
        self._station.save()
        return status

    def clear_cache(self) -> str:
        """Forget the tags that it remembers; one without a cache rejects that, and so does one whose cache is off."""
        station = self._station
        kept = station.struck.has(Fault.KEEPS_CACHE, Step.LISTS)
        if kept or not station.settings.is_on(Setting.CACHE_ENABLED):
            return "Rejected"
        station.state.cache.clear()
        station.save()
        return "Accepted"

    def clear_profiles(self, purpose: str | None = None, number: int | None = None) -> str:
        """Forget charging profiles, by purpose or by number."""
        state = self._station.state
        gone = [one for one in state.profiles if purpose in {None, one["purpose"]} and number in {None, one["id"]}]
        state.profiles = [one for one in state.profiles if one not in gone]
        self._station.save()
        return "Accepted" if gone else "Unknown"

    def restart(self) -> None:
        """End what runs, take over what waited for a restart, boot next time."""
        self._station.state.resets += 1
        self._station.prepare_restart()

    def stop(self, session_key: str | None) -> str:
        """Stop the session of that key, where it runs."""
        session = self._station.state.session
        if session is None or session["key"] != session_key:
            return "Rejected"
        if not self._station.struck.has(Fault.HOLDS_PLUG, Step.QUIET):
            self._station.stop_session("Remote")
        return "Accepted"
