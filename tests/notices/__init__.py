"""Tests of letters and of how they are carried."""
