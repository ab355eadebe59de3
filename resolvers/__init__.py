"""Reads and writes, one file a noun: typed in, rows out. No GraphQL in here."""
