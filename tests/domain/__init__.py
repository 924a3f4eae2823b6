"""Tests of the rules, held against product.md."""
