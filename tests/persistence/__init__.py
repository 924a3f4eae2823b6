"""The database: migrations, imports, repositories."""
