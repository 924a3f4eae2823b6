"""What callers do, whichever door they come by: the routes of the API, and the pages."""
