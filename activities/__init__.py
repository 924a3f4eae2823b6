"""What a workflow's steps do to the world; `contracts` is all of it that a workflow may import."""
