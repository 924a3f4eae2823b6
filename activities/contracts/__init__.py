"""What a workflow may ask of the world: abstract steps with their wire names, a file per family. No I/O here.

Implementations and the tests' fakes subclass these, so a drifted signature is a type error; `wiring.implementations`
registers them under the names written here. Arguments and results hold ids and states only: no name, address or key.
Refusals (domain.errors.Refusal) cross as non-retryable ApplicationErrors whose `type` is the error code.
"""
