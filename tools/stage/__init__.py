"""The processes of a run on this machine, and what they need: ports, readiness, a mailbox, Temporal, PostgreSQL."""
