"""The search attributes by which operators find transfers; registered per namespace before the first start."""

from typing import Final

from temporalio.common import SearchAttributeKey

STATE: Final = SearchAttributeKey.for_keyword("HandoverState")
ATTENTION: Final = SearchAttributeKey.for_keyword("HandoverAttention")
KIND: Final = SearchAttributeKey.for_keyword("HandoverKind")
CHARGE_POINT: Final = SearchAttributeKey.for_keyword("HandoverChargePoint")
STEP: Final = SearchAttributeKey.for_keyword("HandoverStep")
WAITING_UNTIL: Final = SearchAttributeKey.for_datetime("HandoverWaitingUntil")

KEYWORDS: Final = (STATE, ATTENTION, KIND, CHARGE_POINT, STEP)
DATETIMES: Final = (WAITING_UNTIL,)
