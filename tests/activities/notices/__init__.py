"""Tests of the activities that send letters."""
