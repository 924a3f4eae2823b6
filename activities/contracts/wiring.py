"""From the contracts to the activities that a worker registers, by their wire names."""

import functools
from abc import ABC
from collections.abc import Awaitable, Callable
from typing import Any

from temporalio import activity

from activities.contracts.account_news import AccountNews
from activities.contracts.accounts import Accounts
from activities.contracts.charge_points import ChargePoints, ChargerOnDemand
from activities.contracts.charger import Charger
from activities.contracts.notices import Notices, SignInLetters
from activities.contracts.outbox import Outbox
from activities.contracts.reconciler import Reconciler
from activities.contracts.records import Records
from activities.contracts.registry import Registry
from activities.contracts.rescues import Rescues

#: What transfers do, and what is done about them.
OF_TRANSFERS: tuple[type[ABC], ...] = (Registry, Charger, Notices, Outbox, Accounts, Records, Rescues, Reconciler)


CONTRACTS: tuple[type[ABC], ...] = (*OF_TRANSFERS, ChargePoints, ChargerOnDemand, SignInLetters, AccountNews)


def wire_names(contract: type[ABC]) -> dict[str, str]:
    """Map each step's method to its wire name."""
    steps = {name: getattr(contract, name) for name in sorted(contract.__abstractmethods__)}
    return {name: vars(step)["__temporal_activity_definition"].name for name, step in steps.items()}


def implementations(steps: object) -> list[Callable[..., Any]]:
    """Give the activities that `steps` implements, under their contracts' wire names, ready for a Worker.

    An override does not inherit `@activity.defn`; here it gets it from the contract.
    """
    return [
        _named(getattr(steps, method), wire_name)
        for contract in CONTRACTS
        if isinstance(steps, contract)
        for method, wire_name in wire_names(contract).items()
    ]


def _named(method: Callable[..., Awaitable[Any]], wire_name: str) -> Callable[..., Any]:
    @functools.wraps(method)
    async def step(ask: Any) -> Any:
        return await method(ask)

    return activity.defn(name=wire_name)(step)
