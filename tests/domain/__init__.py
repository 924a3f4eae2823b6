"""Tests of the rules, held against docs/rules.md."""
