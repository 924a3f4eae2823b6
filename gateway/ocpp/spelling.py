"""How OCPP's names are spelled, camel case on the wire and snake case here: as by the library, each worked out once."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from ocpp.charge_point import camel_to_snake_case, snake_to_camel_case

#: No name in OCPP is longer. Chargers may invent names: of those that are kept there are at most so many.
_LONGEST_KEPT: Final = 50
_NAMES_KEPT: Final = 2000

_Spell = Callable[[str], str]


def to_snake(payload: Any) -> Any:
    """Spell every name inside as Python does."""
    return _respell(payload, _snake)


def to_camel(payload: Any) -> Any:
    """Spell every name inside as OCPP does."""
    return _respell(payload, _camel)


def _respell(value: Any, spell: _Spell) -> Any:
    if isinstance(value, dict):
        return {spell(name): _respell(inner, spell) for name, inner in value.items()}
    if isinstance(value, list):
        return [_respell(inner, spell) for inner in value]
    return value


def _once(respell: Callable[[Any], Any]) -> _Spell:
    """Spell a single name as the library's function does, and remember it."""

    def spell(name: str) -> str:
        return str(next(iter(respell({name: None}))))

    remembered = lru_cache(_NAMES_KEPT)(spell)
    return lambda name: (remembered if len(name) <= _LONGEST_KEPT else spell)(name)


_snake: Final = _once(camel_to_snake_case)
_camel: Final = _once(snake_to_camel_case)
