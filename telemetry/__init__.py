"""How a process is watched: what its numbers, log lines and traces are made with. Knows nothing of transfers."""
