"""The bottom layer: tables, the database connection and migrations. It doesn't know who may read what."""
