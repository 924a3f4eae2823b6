"""The HTTP doorway: JSON for integrators, pages for recipients."""
