"""What shows, tries and measures the product; nothing of the product imports it."""
