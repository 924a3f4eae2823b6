"""The upgrade drill: its releases can be made of this tree, and its report tells what was seen."""
