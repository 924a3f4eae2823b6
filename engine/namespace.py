"""Registers the search attributes in a Temporal namespace, before the first transfer starts."""

from collections.abc import Mapping
from typing import Final

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client

from workflows.search_attributes import DATETIMES, KEYWORDS

#: Name to type, as Temporal's API spells it.
ATTRIBUTES: Final[Mapping[str, IndexedValueType.ValueType]] = {
    **{key.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD for key in KEYWORDS},
    **{key.name: IndexedValueType.INDEXED_VALUE_TYPE_DATETIME for key in DATETIMES},
}


async def register_search_attributes(client: Client) -> list[str]:
    """Register what the client's namespace lacks, and give those names; a repeat registers nothing.

    Raises temporalio.service.RPCError where Temporal does not answer or refuses.
    """
    known = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    missing = {name: kind for name, kind in ATTRIBUTES.items() if name not in known.custom_attributes}
    if missing:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
        )
    return sorted(missing)
