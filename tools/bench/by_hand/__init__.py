"""The database work of one move of a charge point, written by hand: what a transfer's speed is compared with."""
