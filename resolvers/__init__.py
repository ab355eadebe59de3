"""Reads and writes, one file for each noun: typed inputs in, rows out. No GraphQL types here."""
