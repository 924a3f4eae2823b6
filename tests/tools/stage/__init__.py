"""The demo's parts, the command line, the dev server: as real processes."""
