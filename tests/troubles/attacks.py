"""One attack by a former owner who knows the first password, from before the transfer to its last end."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import select

from domain.keys import KnownTo
from domain.reconciliation import Finding as Kind
from domain.trail import TrailAction, of_charge_point
from domain.transfer import UntilNewKey
from persistence.tables import AuditEvent, ChargePoint, Credential, Finding, PresentConnection
from tests.journeys.people import LOOK_EVERY, ask, mails, patiently
from tests.journeys.system import System
from tests.troubles.attacker import ADDRESS, Attacker, Temper
from tools.demo.person import FINAL
from tools.simulator.control import tell
from tools.simulator.simulation import Station, Version

TO_BOB = {"kind": "transfer_to_user", "recipient": "bob@example.com", "acceptance": "required"}
#: The tags of the former group and of the present one.
FORMER, PRESENT = "NORTH", "BOB"
#: The models of the charge points that are enrolled, and of those that are not.
ENROLLED, NOT_ENROLLED = "Handover demo", "Old"
#: So soon a charger that tries has a socket, if only one that waits.
A_WAY_IN: Final = 60.0
#: How long the parts of a row may take that are not the matter of it.
LONG: Final = 300.0
#: What a transfer may wait for while its new owner may have a key to type made.
WAITS = frozenset({"new_key", "charger_offline", "operator"})
#: The warnings that are about its key; others depend on who was there when.
OF_KEYS = frozenset({"old_key_known", "credentials_due", "credentials_cannot_be_rotated"})
TWO_HOLDERS = "Somebody else is connected as your charge point"
ENDED_KEY = "An old key of your charge point"
NEW_KEY = "needs a new key from you"


class Moment(StrEnum):
    """When he begins."""

    REQUEST = "request"
    ACCEPTANCE = "acceptance"
    CHANGE = "change"
    WAIT = "wait"
    END = "end"


class Company(StrEnum):
    """Whether the charger itself is there while he is."""

    ALONE = "alone"
    RACING = "racing"


class Story(StrEnum):
    """What else is so in a row."""

    PLAIN = ""
    TYPED_IN_TIME = "the new owner types a key while the transfer waits"
    CLONE = "her client was enrolled while she was the owner"


@dataclass(frozen=True)
class Attack:
    """A row."""

    number: int
    ocpp: Version
    online: bool
    enrolled: bool
    moment: Moment
    temper: Temper
    company: Company
    other_node: bool
    until_new_key: UntilNewKey
    story: Story = Story.PLAIN

    @property
    def charge_point(self) -> str:
        return f"cp-{self.number}"

    @property
    def identity(self) -> str:
        return f"CP-{self.number}"

    @property
    def password(self) -> str:
        return f"first-password-of-{self.number}"

    @property
    def model(self) -> str:
        return ENROLLED if self.enrolled else NOT_ENROLLED

    @property
    def known(self) -> bool:
        """Whether people know the key in use as it changes hands."""
        return not self.enrolled

    @property
    def cells(self) -> list[str]:
        """What it is, as the table has it."""
        return [
            self.ocpp,
            "online" if self.online else "offline",
            "enrolled" if self.enrolled else "not enrolled",
            self.moment,
            self.temper,
            self.company,
            "the other node" if self.other_node else "its node",
            self.until_new_key,
        ]


@dataclass(frozen=True)
class Found:
    """What became of it, as the table has it."""

    before: str
    """The transfer's state before the new owner types a key."""
    after: str
    """The same afterwards."""
    he: str
    """What he got from the change on until then."""

    def __str__(self) -> str:
        """Write it for the table."""
        return f"{self.he} | {self.before} | {self.after}"


class Life:
    """One row as it is lived."""

    def __init__(self, system: System, attack: Attack, other_gateway: str, starts: asyncio.Semaphore) -> None:
        self._system, self._attack, self._starts = system, attack, starts
        self.station = Station(
            system.stage.gateway,
            attack.identity,
            attack.password,
            system.stage.state_file(attack.identity),
            ocpp=attack.ocpp,
            model=attack.model,
        )
        self.attacker = Attacker(
            other_gateway if attack.other_node else system.stage.gateway,
            attack.identity,
            attack.password,
            attack.ocpp,
            attack.temper,
            attack.model,
        )
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._transfer_id = ""
        self._losses = 0
        """How often the charger lost its connection while it was watched."""
        self._looks: list[dict[str, Any]] = []

    async def __call__(self) -> Found:
        """Live it, and judge it."""
        try:
            async with self._system.user("ada") as ada, self._system.user("bob") as bob:
                self._ada, self._bob = ada, bob
                return await self._live()
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _live(self) -> Found:
        attack = self._attack
        async with self._starts:
            await self._before()
            await self._begin_at(Moment.REQUEST)
            self._transfer_id = await ask(self._ada, attack.charge_point, TO_BOB, key=f"attack-{attack.number}")
            body = {"until_new_key": attack.until_new_key}
            path = f"/v1/transfers/{self._transfer_id}/accept"
            answer = await patiently(lambda: self._bob.post(path, json=body))
            assert answer.status_code == 200, answer.text
            await self._begin_at(Moment.ACCEPTANCE)
            changed = await self._until_changed()
        self.attacker.tags = (FORMER, PRESENT)  # a session of the former owner's time would hold the change up
        self.attacker.model = ENROLLED  # so that a key is sent to him, if to anybody
        await self._begin_at(Moment.CHANGE)
        await self._until(lambda found: found["attention"] in WAITS or found["state"] in FINAL)
        await self._begin_at(Moment.WAIT)
        if attack.story is not Story.TYPED_IN_TIME:
            await self._until(lambda found: found["attention"] == "operator" or found["state"] in FINAL)
        await self._begin_at(Moment.END)
        if "station" not in self._tasks and attack.company is Company.RACING and attack.story is not Story.CLONE:
            self._start_station()
        if "watch" in self._tasks:
            await self.station.until(lambda: self.station.connected, A_WAY_IN)
        await self._has_had_his_say(changed)
        await self._told_before()
        before = _spell(self._looks[-1])
        he = self._judge_what_he_got(changed)
        typed = await self._type_key()
        await self._has_come_to_an_end()
        await self._judge_the_trails(changed, typed)
        await self._judge_what_he_has_said(changed, typed)
        return Found(before, _spell(self._looks[-1]), he)

    # --- what happens ---------------------------------------------------------------------------------------------

    async def _before(self) -> None:
        """Have the charger, or what passes for it, connected and enrolled as the row has it; then away, or not."""
        attack = self._attack
        if attack.story is Story.CLONE:
            self._start_attacker()
            await self._until_known_to_charger()
            self._start_station(watched=False)  # it has only the first key, which is over
            await self.station.until(lambda: self.station.refused, LONG)
            return
        self._start_station()
        await self.station.until(lambda: self.station.online, LONG)
        if attack.enrolled:
            await self._until_known_to_charger()
        if not attack.online:
            await self._end("watch", "station")

    async def _begin_at(self, moment: Moment) -> None:
        """Let him begin, where it is the moment; alone he is there in the charger's place."""
        if moment is not self._attack.moment or "attacker" in self._tasks:
            return
        if self._attack.company is Company.ALONE and self._attack.story is not Story.CLONE:
            await self._end("watch", "station")
        self._start_attacker()
        await self.attacker.until(lambda: self.attacker.came, LONG)

    def _start_attacker(self) -> None:
        self._tasks["attacker"] = asyncio.create_task(self.attacker.run())

    def _start_station(self, *, watched: bool = True) -> None:
        self._tasks["station"] = asyncio.create_task(self.station.run())
        if watched:
            self._tasks["watch"] = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        """See that the charger has a way in, always; raises TimeoutError where it has none for too long."""
        while True:
            await self.station.until(lambda: self.station.connected, A_WAY_IN)
            await self.station.until(lambda: not self.station.connected, 3600)
            self._losses += 1

    async def _end(self, *names: str) -> None:
        for name in names:
            task = self._tasks.pop(name, None)
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _until_known_to_charger(self) -> None:
        point = self._attack.charge_point
        query = select(Credential.known_to).join(PresentConnection, Credential.id == PresentConnection.credential_id)
        query = query.where(PresentConnection.charge_point_id == point, PresentConnection.node.is_not(None))

        async def known() -> bool:
            async with self._system.db.reading() as rows:
                return await rows.scalar(query) == KnownTo.CHARGER

        await eventually(known)

    async def _until_changed(self) -> datetime:
        """Wait for the change of owner; gives its moment."""
        changes: list[datetime] = []

        async def changed() -> bool:
            async with self._system.db.reading() as rows:
                point = await rows.get_one(ChargePoint, self._attack.charge_point)
            if point.owner_id == "bob" and point.owner_changed_at is not None:
                changes.append(point.owner_changed_at)
            return bool(changes)

        await eventually(changed)
        return changes[0]

    async def _look(self) -> dict[str, Any]:
        """See the transfer as its new owner does; it never turns back, and the charge point is never another's."""
        answer = await patiently(lambda: self._bob.get(f"/v1/transfers/{self._transfer_id}"))
        found: dict[str, Any] = answer.json()
        assert found["state"] not in {"rolling_back", "rolled_back"}, found
        self._looks.append(found)
        return found

    async def _until(self, true: Callable[[dict[str, Any]], bool]) -> None:
        async def seen() -> bool:
            return true(await self._look())

        await eventually(seen)

    async def _has_had_his_say(self, changed: datetime) -> None:
        """Wait until he has tried what he can since the change; racing, what waits was asked whether it is there."""
        since = max(changed, datetime.now(UTC)) if self._attack.moment is Moment.END else changed
        await self.attacker.until(lambda: self.attacker.had_his_say(since), LONG)
        await self._look()

    async def _told_before(self) -> None:
        """Wait until the new owner was told what they are to know before they type a key."""
        if self._attack.story is Story.CLONE:
            await self._on_record(TrailAction.ENDED_KEY_TRIED, Kind.ENDED_KEY_TRIED, ENDED_KEY, "127.0.0.1")
        elif self._attack.known:
            await self._mailed(NEW_KEY)
            if self._attack.company is Company.RACING:
                await self._on_record(TrailAction.TWO_HOLDERS, Kind.TWO_HOLDERS, TWO_HOLDERS)
        else:
            await self._on_record(TrailAction.ENDED_KEY_TRIED, Kind.ENDED_KEY_TRIED, ENDED_KEY, ADDRESS)

    async def _type_key(self) -> datetime:
        """Be the new owner: have a key made, which is typed into the charger."""
        await self._until(lambda found: found["attention"] in WAITS or found["state"] in FINAL)
        path = f"/v1/charge-points/{self._attack.charge_point}/connection"
        headers = {"Idempotency-Key": f"typed-{self._attack.number}"}
        made = await patiently(lambda: self._bob.post(path, headers=headers))
        assert made.status_code == 201, made.text
        if self._looks[-1]["state"] not in FINAL:
            body = {"action": "roll_back", "reason": "the former owner asks for it"}
            refused = await self._ada.post(f"/v1/transfers/{self._transfer_id}/resolve", json=body)
            assert refused.status_code == 409, refused.text
        if "watch" in self._tasks:
            await self.station.until(lambda: self.station.connected, A_WAY_IN)  # it is typed into one that is there
        typed = datetime.now(UTC)
        order = f"{self._attack.identity} password {made.json()['password']}"
        assert await tell(self._system.stage.ports.stations, order) == {"password": "taken"}
        if "station" not in self._tasks:
            self._start_station()
        elif "watch" not in self._tasks:
            self._tasks["watch"] = asyncio.create_task(self._watch())
        return typed

    async def _has_come_to_an_end(self) -> None:
        """The charger is connected with its new key, the transfer is over with nothing left, and he is shut out."""
        await self.station.until(lambda: self.station.online, LONG)

        async def over() -> bool:
            found = await self._look()
            point = (await patiently(lambda: self._bob.get(f"/v1/charge-points/{self._attack.charge_point}"))).json()
            known = OF_KEYS & set(found["warnings"])
            return found["state"] in FINAL and point["connected"] and not point["quarantined"] and not known

        await eventually(over)
        await self.station.until(lambda: self.station.online, LONG)
        proven = datetime.now(UTC)
        await self.attacker.until(lambda: set(self.attacker.passwords) <= self.attacker.refused(proven), A_WAY_IN)
        assert not [came for came in self.attacker.came if came.at > proven and came.status == 101]
        await self._on_record(TrailAction.ENDED_KEY_TRIED, Kind.ENDED_KEY_TRIED, ENDED_KEY, ADDRESS)

    # --- judging --------------------------------------------------------------------------------------------------

    def _judge_what_he_got(self, changed: datetime) -> str:
        """Judge what he was told and answered since the change, by what the new owner chose; gives it in a word."""
        attack, he = self._attack, self.attacker
        if attack.story is Story.CLONE:
            assert [told for told in he.keys if told.at > changed], "the charger is who was enrolled"
            return "she is the charger"
        assert not he.keys, "he was sent a key"
        since = [said for said in he.said if said.at > changed]
        charging = [said for said in since if said.tag and said.answer == "Accepted"]
        booted = [said for said in since if not said.tag and said.answer == "Accepted"]
        assert not [said for said in charging if said.tag == FORMER], "a tag of the former group charges"
        if attack.enrolled:
            assert not [came for came in he.came if came.status == 101], "an ended key opened something"
            return "refused (401)"
        if attack.until_new_key is UntilNewKey.QUARANTINE:
            assert not [*charging, *booted], "he is served"
            return "in quarantine"
        if attack.company is Company.ALONE:
            assert booted, "nobody else is there, and he is not served"
            return "served"
        if attack.online:
            assert not self._losses, "the charger lost its place to a newcomer"
            assert not booted, "the charger is there, and he is served"
            return "held"
        return "served or held"

    async def _judge_what_he_has_said(self, changed: datetime, typed: datetime) -> None:
        """Judge the end: the new owner has it, the transfer never turned, no word of his is in the way of anything."""
        attack = self._attack
        point = (await patiently(lambda: self._bob.get(f"/v1/charge-points/{attack.charge_point}"))).json()
        assert (point["owner_id"], point["active_transfer_id"]) == ("bob", None), point
        periods = await patiently(lambda: self._bob.get(f"/v1/charge-points/{attack.charge_point}/ownership"))
        assert [period["owner_id"] for period in periods.json()["items"]][-1] == "bob"
        events = await self._events(f"/v1/transfers/{self._transfer_id}/events")
        turned = {"rolling_back", "rolled_back", "ownership_restored", "resolved_complete", "resolved_retry"}
        assert not turned & {event["action"] for event in events}, events
        charged = [said for said in self.attacker.said if said.at > changed and said.tag == FORMER]
        assert not [said for said in charged if said.answer == "Accepted"], "a tag of the former group charges"
        watch = self._tasks["watch"]
        assert not watch.done(), f"the charger had no way in: {watch.exception()!r}"
        late = [told for told in self.attacker.keys if told.at > typed]
        assert not late, "he was sent a key after the new owner had typed one"

    async def _judge_the_trails(self, changed: datetime, typed: datetime) -> None:
        """No key went to where he is, nor any over what a key that people know had opened, from before the change."""
        if self._attack.story is Story.CLONE:
            return
        subject = of_charge_point(self._attack.charge_point)  # type: ignore[arg-type]
        query = select(AuditEvent).where(AuditEvent.subject == subject, AuditEvent.action == TrailAction.KEY_SENT)
        async with self._system.db.reading() as rows:
            sent = (await rows.scalars(query)).all()
        assert not [one for one in sent if one.detail["address"] == ADDRESS], "a key was sent to him"
        if self._attack.known:
            assert not [one for one in sent if changed < one.at < typed], "a key was sent over a known one"

    async def _on_record(self, action: TrailAction, kind: Kind, subject: str, address: str | None = None) -> None:
        """Wait until the trail as the new owner sees it, the findings and their mailbox say so."""

        async def written() -> bool:
            events = await self._events(f"/v1/charge-points/{self._attack.charge_point}/events")
            mine = [one for one in events if one["action"] == action]
            if address is not None:
                mine = [one for one in mine if one["detail"].get("address") == address]
            async with self._system.db.reading() as rows:
                found = await rows.get(Finding, (kind.value, self._attack.charge_point))
            return bool(mine) and found is not None and found.settlement == "seen"

        await eventually(written, what=f"{action} on record")
        await self._mailed(subject)

    async def _mailed(self, subject: str) -> None:
        name = f"“Bay {self._attack.number}”"

        async def mailed() -> bool:
            return any(
                subject in mail["subject"] and name in mail["subject"] and "bob@example.com" in mail["to"]
                for mail in await mails(self._system)
            )

        await eventually(mailed, what=f"a letter to the new owner: {subject}")

    async def _events(self, path: str) -> list[dict[str, Any]]:
        answer = await patiently(lambda: self._bob.get(path, params={"limit": 200}))
        assert answer.status_code == 200, answer.text
        events: list[dict[str, Any]] = answer.json()["items"]
        return events


def _spell(found: dict[str, Any]) -> str:
    waits = f" ({found['attention']})" if found["attention"] and found["state"] not in FINAL else ""
    warnings = f" ({', '.join(sorted(OF_KEYS & set(found['warnings'])))})" if OF_KEYS & set(found["warnings"]) else ""
    return f"{found['state']}{waits}{warnings}"


async def eventually(true: Callable[[], Awaitable[bool]], seconds: float = LONG, what: str = "") -> None:
    """Look until it is so: other processes' doing, which tells nobody here."""
    try:
        async with asyncio.timeout(seconds):
            while not await true():
                await asyncio.sleep(LOOK_EVERY)  # other processes' doing: there is nothing here to wait on
    except TimeoutError:
        raise TimeoutError(what or true.__qualname__) from None
