"""The GraphQL schema, one file for each noun, and each viewer's projection of it."""
