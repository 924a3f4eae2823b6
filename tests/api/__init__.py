"""Tests of the HTTP side, on real databases."""
