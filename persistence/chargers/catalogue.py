"""The catalogue of models: what chargers of each vendor and model did when transfers told them something."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.transfer import KEY_REFUSED, REFUSED_BY_CHARGER, UNROTATABLE, UNSUPPORTED, StepName, StepState
from persistence.tables import ChargePoint, Transfer, TransferStep


class Support(StrEnum):
    """Whether chargers of a model do what a step tells them."""

    YES = "yes"
    NO = "no"
    SOME = "some"
    """Some did, some did not: it may depend on their firmware or settings."""
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Model:
    """A kind of charger, as it names itself in its BootNotification."""

    ocpp: str
    vendor: str | None
    model: str | None


STEPS: Final = (
    StepName.QUIET_CHARGER,
    StepName.REPLACE_LISTS,
    StepName.ROTATE_CREDENTIALS,
    StepName.RELEASE_CHARGER,
)
#: Of so many of its charge points it is looked what a model did: a dry run waits for it.
_ENOUGH: Final = 200
_REFUSALS: Final = {UNSUPPORTED, UNROTATABLE, REFUSED_BY_CHARGER, KEY_REFUSED}


async def known(rows: AsyncSession, model: Model) -> dict[StepName, Support]:
    """Say what is known of one model, from some of its charge points. Only reads."""
    nothing = dict.fromkeys(STEPS, Support.UNKNOWN)
    return (await catalogue(rows, only=model)).get(model, nothing)


async def catalogue(rows: AsyncSession, *, only: Model | None = None) -> dict[Model, dict[StepName, Support]]:
    """Say what is known of every model of which something is, or of `only` one as `known` does. Only reads."""
    about = (ChargePoint.ocpp, ChargePoint.vendor, ChargePoint.model)
    query = (
        select(*about, TransferStep.name, TransferStep.state, TransferStep.last_error, func.count())
        .join(Transfer, Transfer.id == TransferStep.transfer_id)
        .join(ChargePoint, ChargePoint.id == Transfer.charge_point_id)
        .where(TransferStep.name.in_([step.value for step in STEPS]), ChargePoint.model.is_not(None))
        .group_by(*about, TransferStep.name, TransferStep.state, TransferStep.last_error)
    )
    if only is not None:
        same = zip(about, (only.ocpp, only.vendor, only.model), strict=True)
        points = select(ChargePoint.id).where(*(column == value for column, value in same))
        query = query.where(ChargePoint.id.in_(points.order_by(ChargePoint.id).limit(_ENOUGH)))
    did: dict[Model, dict[StepName, Counter[bool]]] = defaultdict(lambda: {step: Counter() for step in STEPS})
    for ocpp, vendor, name, step, state, error, times in (await rows.execute(query)).all():
        if error in _REFUSALS:
            did[Model(ocpp, vendor, name)][StepName(step)][False] += times
        elif state == StepState.DONE:
            did[Model(ocpp, vendor, name)][StepName(step)][True] += times
    return {model: {step: _support(did[model][step]) for step in STEPS} for model in sorted(did, key=str)}


def _support(did: Counter[bool]) -> Support:
    if did[True] and did[False]:
        return Support.SOME
    return Support.YES if did[True] else Support.NO if did[False] else Support.UNKNOWN
