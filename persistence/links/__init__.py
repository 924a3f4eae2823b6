"""Approval links, their codes, and the accounts that are opened by them."""
