"""What knows OCPP: the frames, the schemas, and how each version says what."""
