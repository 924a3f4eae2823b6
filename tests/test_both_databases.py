"""SQLite and PostgreSQL are tested alike: equally many tests ran, and passed, on each."""

import os
from collections import Counter

import pytest

from tests.conftest import BOTH, PASSED, database_kind


@pytest.mark.looks_back
def test_equally_many_tests_passed_on_both_databases(request: pytest.FixtureRequest) -> None:
    chosen = Counter(kind for item in request.session.items if (kind := database_kind(item)))
    if PASSED["postgresql"] == 0 and chosen["postgresql"] > 0 and not os.environ.get("CI"):
        pytest.skip("not run: no PostgreSQL")
    assert set(chosen) <= set(BOTH)
    assert chosen["sqlite"] == chosen["postgresql"]
    assert PASSED["sqlite"] == PASSED["postgresql"] == chosen["sqlite"]
    print(f"{PASSED['sqlite']} tests passed on each of {', '.join(BOTH)}")
