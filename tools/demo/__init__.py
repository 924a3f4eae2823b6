"""The demo: its data, its stories and who performs them."""
