"""Puts plausible slips into the code that guards, one at a time, and looks whether a test sees each: `make mutants`."""
