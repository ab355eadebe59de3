"""The GraphQL schema, one file a noun, and the projection of it that each viewer gets."""
