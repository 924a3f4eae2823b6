"""The chargers' side: OCPP over WebSocket. Does not know what a transfer is."""
