"""How a charger is made to know the present group's tags, and to let no other charge: the same in every version.

What the step can't do without is that the list is sent and answered; every other call has a default, and what it could
not do is told.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from domain.charger import CommandOutcome, SettingChanged, Shortfall
from domain.ids import ChargePointId
from gateway.charger_sockets import ChargerSocket
from gateway.ocpp.dialect import DISPENSABLE, Dialect, Setting, Settings
from persistence.chargers import charger_changes, local_lists
from persistence.chargers.local_lists import ListLimits, ListOrder
from persistence.session import Database

_log = logging.getLogger(__name__)

#: Entries a message where the charger does not say how many it takes.
_DEFAULT_PART: Final = 20
#: What one entry takes at most in a message, and the rest of that, in bytes.
_ENTRY_BYTES, _FRAME_BYTES = 160, 300
#: Of a count that can be one.
_DIGITS: Final = 9
_LOOKED_AT: Final = frozenset(Setting)
_OFF, _ON = "false", "true"
#: The list is heeded, and whoever it does not let charge does not.
_WANTED: Final = {Setting.UNKNOWN_OFFLINE: _OFF, Setting.LIST_ENABLED: _ON}


@dataclass(frozen=True)
class Replaced:
    """How a replacement went; `left`: what it could not do."""

    outcome: CommandOutcome
    left: tuple[Shortfall, ...] = ()


class ListReplacement:
    """One order's replacement of the list at one charger, and its compensation; each may be repeated."""

    def __init__(self, db: Database, socket: ChargerSocket, order_id: str) -> None:
        """Work over `socket`, and keep on record under `order_id` what is changed."""
        self._db = db
        self._dialect: Dialect = socket.dialect
        self._point: ChargePointId = socket.charge_point_id
        self._order_id = order_id

    async def replace(self) -> Replaced:
        """Send the present group's list, and clear what the charger keeps of others.

        A list that the charger says it could not take is sent once more; said again, that is its answer.
        """
        self._dialect.wish_anew()
        seen = await self._dialect.read(_LOOKED_AT)
        await self._begin(seen)
        closed = await self._set(Setting.UNKNOWN_OFFLINE, seen)
        in_force = await self._set(Setting.LIST_ENABLED, seen)
        cleared = await self._clear_cache(seen)
        order = await self._plan(seen, block_former=not closed)
        forgotten = await self._dialect.forget_customers(order.former)  # before the list (N10.FR.02)
        outcome = await self._send(order)
        if outcome is CommandOutcome.REJECTED:
            order = await self._plan(seen, block_former=not closed)
            outcome = await self._send(order)
        if outcome is CommandOutcome.DONE and not in_force and _is(seen.get(Setting.LIST_ENABLED), _OFF):
            outcome = CommandOutcome.NOT_SUPPORTED
        limits = await self._dialect.clear_profiles()
        listed = order.blocked if outcome is CommandOutcome.DONE else 0
        former = 0 if closed else len(order.former) - listed
        await self._note_left(former, limits)
        left = {
            Shortfall.FORMER_TAGS_MAY_CHARGE_OFFLINE: former > 0,
            Shortfall.CACHE_NOT_CLEARED: not cleared,
            Shortfall.CUSTOMER_DATA_LEFT: not forgotten,
        }
        return Replaced(outcome, tuple(what for what, is_left in left.items() if is_left))

    async def restore(self) -> Replaced:
        """Send the list that the order replaced, and set back what it set; nothing where it did not begin."""
        self._dialect.wish_anew()
        async with self._db.writing() as rows:
            if not await local_lists.claim_list(rows, self._point, self._order_id, restore=True):
                return Replaced(CommandOutcome.DONE)
        seen = await self._dialect.read({Setting.LIST_LENGTH, Setting.LIST_PART, Setting.LIST_BYTES})
        outcome = CommandOutcome.DONE
        for _ in range(2):
            limits = await self._limits(seen)
            async with self._db.writing() as rows:
                order = await local_lists.plan_list(rows, self._point, self._order_id, limits, restore=True)
            outcome = CommandOutcome.DONE if order is None else await self._send(order)
            if outcome is not CommandOutcome.REJECTED:
                break
        with suppress(*DISPENSABLE):
            await self._dialect.clear_cache()
        await self._set_back()
        return Replaced(outcome)

    async def _begin(self, seen: Settings) -> None:
        """Claim the list, and put on record what is about to be set, before anything is touched."""
        names = self._dialect.NAMES
        changes = [
            SettingChanged(names[setting], seen.get(setting), value)
            for setting, value in _WANTED.items()
            if not _is(seen.get(setting), value)
        ]
        async with self._db.writing() as rows:
            await local_lists.claim_list(rows, self._point, self._order_id)
            if changes:
                await charger_changes.note_settings(rows, self._point, self._order_id, changes)

    async def _note_left(self, former_tags: int, limits: Sequence[Mapping[str, Any]]) -> None:
        async with self._db.reading() as rows:
            known = await charger_changes.of_one(rows, self._order_id)
        if (known.former_tags, known.charging_limits) != (former_tags, tuple(limits)):
            async with self._db.writing() as rows:
                await charger_changes.note_left(
                    rows, self._point, self._order_id, former_tags=former_tags, charging_limits=limits
                )

    async def _set(self, setting: Setting, seen: Settings) -> bool:
        """Have a setting as it is wanted; whether it is, as the charger says when it is asked again.

        One that it does not have is tried all the same: there are chargers that know more than they tell.
        """
        name, value = self._dialect.NAMES[setting], _WANTED[setting]
        if _is(seen.get(setting), value):
            return True
        try:
            outcome = await self._dialect.write(name, value, dispensable=True)
        except DISPENSABLE:
            return False  # it may have done it
        if outcome in {CommandOutcome.REJECTED, CommandOutcome.NOT_SUPPORTED}:
            async with self._db.writing() as rows:
                await charger_changes.drop_setting(rows, self._point, self._order_id, name)
            return False
        if not seen or outcome is CommandOutcome.SCHEDULED:  # nor does it answer now; or not before it restarts
            return False
        return _is((await self._dialect.read({setting})).get(setting), value)

    async def _set_back(self) -> None:
        """Set back what the order set, the last first; what the charger refuses, or never told, stays on record."""
        async with self._db.reading() as rows:
            changes = await charger_changes.of_one(rows, self._order_id)
        for changed in reversed(changes.settings_changed):
            if changed.was is None:
                continue
            outcome = await self._dialect.write(changed.name, changed.was)
            if outcome in {CommandOutcome.DONE, CommandOutcome.SCHEDULED}:
                async with self._db.writing() as rows:
                    await charger_changes.drop_setting(rows, self._point, self._order_id, changed.name)
            else:
                _log.warning("%s does not take %s back.", self._point, changed.name)

    async def _clear_cache(self, seen: Settings) -> bool:
        """Clear the cache; whether nothing in it lets anybody charge: it is empty, off, or not there.

        `Rejected` may mean that it is off, with tags in it (C11.FR.04).
        """
        outcome: CommandOutcome | None = None
        with suppress(*DISPENSABLE):
            outcome = await self._dialect.clear_cache()
        if outcome is CommandOutcome.DONE:
            return True
        told, enabled = Setting.CACHE_ENABLED in seen, seen.get(Setting.CACHE_ENABLED)
        if told and (enabled is None or _is(enabled, _OFF)):
            return True
        return outcome is CommandOutcome.NOT_SUPPORTED and not told

    async def _plan(self, seen: Settings, *, block_former: bool) -> ListOrder:
        limits = await self._limits(seen)
        async with self._db.writing() as rows:
            order = await local_lists.plan_list(rows, self._point, self._order_id, limits, block_former=block_former)
        if order is None:
            raise AssertionError("only a restoration may have nothing to send")
        return order

    async def _limits(self, seen: Settings) -> ListLimits:
        part = _number(seen.get(Setting.LIST_PART)) or _DEFAULT_PART
        size = _number(seen.get(Setting.LIST_BYTES))
        return ListLimits(
            part=part if size is None else max(1, min(part, (size - _FRAME_BYTES) // _ENTRY_BYTES)),
            length=_number(seen.get(Setting.LIST_LENGTH)),
            version=await self._dialect.list_version(),
            tag=self._dialect.TAG,
            types=self._dialect.TYPES,
        )

    async def _send(self, order: ListOrder) -> CommandOutcome:
        for number, part in enumerate(order.parts):
            outcome = await self._dialect.send_list(order.first_version + number, part, full=not number)
            if outcome is not CommandOutcome.DONE:
                return CommandOutcome.REJECTED if outcome is CommandOutcome.STALE else outcome
        return CommandOutcome.DONE


def _is(told: str | None, value: str) -> bool:
    """Whether a setting is told to have a value, in whatever case."""
    return told is not None and told.strip().lower() == value


def _number(value: str | None) -> int | None:
    """Read a count; None where there is none, or it says nothing."""
    text = (value or "").strip()
    return int(text) or None if text.isdecimal() and len(text) <= _DIGITS else None
