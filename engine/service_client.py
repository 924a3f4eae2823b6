"""Calls to Temporal that end in time, also where nothing comes back from it."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from temporalio.service import RPCError, RPCStatusCode, ServiceClient
from typing_extensions import override

#: How many seconds the SDK's own time-out goes before this one: it knows more of what was answered.
_GRACE: Final = 0.5


class PunctualServiceClient(ServiceClient):
    """Holds the time-out of each call.

    The SDK's begins once there is a connection. Where packets are lost to connect takes minutes, and calls as long.
    """

    def __init__(self, inner: ServiceClient) -> None:
        """Take the client that makes the calls."""
        super().__init__(inner.config)
        self._inner = inner

    @property
    @override
    def worker_service_client(self) -> Any:
        return self._inner.worker_service_client

    @override
    def update_rpc_metadata(self, metadata: Mapping[str, str | bytes]) -> None:
        self._inner.update_rpc_metadata(metadata)

    @override
    def update_api_key(self, api_key: str | None) -> None:
        self._inner.update_api_key(api_key)

    @override
    async def _rpc_call(self, rpc: str, req: Any, resp_type: Any, *, timeout: timedelta | None, **how: Any) -> Any:
        call = self._inner._rpc_call(rpc, req, resp_type, timeout=timeout, **how)  # noqa: SLF001 - what is wrapped
        try:
            async with asyncio.timeout(None if timeout is None else timeout.total_seconds() + _GRACE):
                return await call
        except TimeoutError:
            raise RPCError("Nothing came back in time", RPCStatusCode.DEADLINE_EXCEEDED, b"") from None
