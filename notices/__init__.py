"""Letters and texts in two languages, and who carries them."""
