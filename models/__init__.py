"""The ground: tables, the database connection, migrations. Knows nothing of who may read what."""
