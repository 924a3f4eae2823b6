"""A charging station in software, with what can be wrong with one."""
