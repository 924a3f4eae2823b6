"""Leaves out of `make test` what brings up whole containers: `make test-compose` names it."""

collect_ignore = ["test_compose.py"]
