"""The settings of a simulated charge point that bear on tags, in whichever version of OCPP it speaks."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from tools.simulator.faults import Fault, Step, Struck
from tools.simulator.state import StationState


class Setting(StrEnum):
    """What can be read, and some of it set; each version has a name of its own for it."""

    LIST_ENABLED = "list_enabled"
    LIST_LENGTH = "list_length"
    LIST_PART = "list_part"
    LIST_BYTES = "list_bytes"
    UNKNOWN_OFFLINE = "unknown_offline"
    CACHE_ENABLED = "cache_enabled"


_OFF, _ON = "false", "true"
#: How it is set where nothing was set.
_USUAL: Final[Mapping[Setting, str]] = {
    Setting.LIST_ENABLED: _ON,
    Setting.LIST_LENGTH: "500",
    Setting.LIST_BYTES: "65535",
    Setting.UNKNOWN_OFFLINE: _OFF,
    Setting.CACHE_ENABLED: _OFF,
}
_SET_SO: Final[Mapping[Fault, tuple[Setting, str]]] = {
    Fault.LIST_OFF: (Setting.LIST_ENABLED, _OFF),
    Fault.LIST_OFF_FIXED: (Setting.LIST_ENABLED, _OFF),
    Fault.SMALL_LIST: (Setting.LIST_LENGTH, "2"),
    Fault.UNKNOWN_OFFLINE: (Setting.UNKNOWN_OFFLINE, _ON),
    Fault.UNKNOWN_OFFLINE_FIXED: (Setting.UNKNOWN_OFFLINE, _ON),
    Fault.UNKNOWN_OFFLINE_LIE: (Setting.UNKNOWN_OFFLINE, _ON),
    Fault.CACHE: (Setting.CACHE_ENABLED, _ON),
    Fault.KEEPS_CACHE: (Setting.CACHE_ENABLED, _ON),
}
_WRITABLE: Final = frozenset({Setting.LIST_ENABLED, Setting.UNKNOWN_OFFLINE, Setting.CACHE_ENABLED})
_FIXED: Final[Mapping[Setting, Fault]] = {
    Setting.LIST_ENABLED: Fault.LIST_OFF_FIXED,
    Setting.UNKNOWN_OFFLINE: Fault.UNKNOWN_OFFLINE_FIXED,
}


class Settings:
    """Those of one charge point; what was set lies in its state."""

    def __init__(self, state: StationState, struck: Struck, list_part: int) -> None:
        """Be set as the faults say; it takes `list_part` tags in a message."""
        self._state = state
        self._struck = struck
        self._list_part = list_part

    def get(self, setting: Setting) -> str:
        """Give a setting as it is."""
        if setting is Setting.LIST_PART:
            return str(self._list_part)
        begun = [so for fault, so in _SET_SO.items() if self._struck.has(fault, Step.LISTS)]
        usual = next((value for of, value in begun if of is setting), None) or _USUAL[setting]
        return self._state.settings.get(setting.value, usual)

    def is_on(self, setting: Setting) -> bool:
        """Whether a setting is on."""
        return self.get(setting) == _ON

    def put(self, setting: Setting, value: str) -> str:
        """Set it; gives the status of the answer."""
        fixed = _FIXED.get(setting)
        if setting not in _WRITABLE or (fixed is not None and self._struck.has(fixed, Step.LISTS)):
            return "Rejected"
        if setting is not Setting.UNKNOWN_OFFLINE or not self._struck.has(Fault.UNKNOWN_OFFLINE_LIE, Step.LISTS):
            self._state.settings[setting.value] = value
        return "Accepted"
