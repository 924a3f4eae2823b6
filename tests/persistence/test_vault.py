"""Which server keys are taken."""

import secrets

import pytest

from persistence.vault import Vault, new_secret

GOOD = "0123456789abcdef0123456789abcdef-test"


@pytest.mark.parametrize(
    "weak", ["k" * 32, "ab" * 16, "0123456789abcdef" * 2, "0123456789abcdef" * 2 + "0123", "password" * 5]
)
def test_a_key_that_repeats_itself_writes_nothing_and_reads_what_it_wrote(weak: str) -> None:
    with pytest.raises(ValueError, match="repeats itself"):
        Vault([weak])
    with pytest.raises(ValueError, match="repeats itself"):
        Vault([weak, GOOD])
    Vault([GOOD, weak])


def test_a_key_that_was_drawn_is_taken() -> None:
    for _ in range(1000):
        Vault([secrets.token_hex(16)])
        Vault([new_secret()])
