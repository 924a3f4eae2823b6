"""Who there is: accounts, their API keys, who calls."""
