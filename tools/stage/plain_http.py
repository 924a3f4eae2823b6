"""HTTP to the parts of a stage, all on this machine and without TLS."""

from typing import Any

import httpx


def client(base_url: str = "", **options: Any) -> httpx.AsyncClient:
    """Give an HTTP client that has not read the machine's certificates: they take it longer than a call does.

    Nor its proxies, which do not lead back to this machine.
    """
    return httpx.AsyncClient(base_url=base_url, verify=False, trust_env=False, **options)  # noqa: S501 - there is no TLS
