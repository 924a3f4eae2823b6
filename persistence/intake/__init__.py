"""What the API itself may write: requests, orders, limits."""
