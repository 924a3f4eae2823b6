"""Pages for people: the approval link."""
