"""Pure rules of a transfer: who may, what follows, by when. Imports no other room."""
