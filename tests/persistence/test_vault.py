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


@pytest.mark.parametrize(
    "known",
    [
        "change-me-change-me-please-0123456789",
        "<CHANGE_ME: 32 characters or more, please>",
        "replace.me.with.the.output.of.new-secret-key",
        "a-placeholder-that-is-long-enough-to-start",
        "your-secret-key-goes-here-0123456789abcdef",
    ],
)
def test_a_placeholder_writes_nothing_and_reads_what_it_wrote(known: str) -> None:
    with pytest.raises(ValueError, match="is a placeholder"):
        Vault([known])
    with pytest.raises(ValueError, match="is a placeholder"):
        Vault([known, GOOD])
    Vault([GOOD, known])


def test_a_key_that_was_drawn_is_taken() -> None:
    for _ in range(1000):
        Vault([secrets.token_hex(16)])
        Vault([new_secret()])
