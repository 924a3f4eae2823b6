"""The database: tables, sessions, and one repository per thing kept."""
