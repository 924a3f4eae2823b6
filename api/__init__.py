"""HTTP: JSON for integrators, pages for recipients."""
