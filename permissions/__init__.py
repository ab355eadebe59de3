"""Who may read and do what: viewers and standings, the one table, and the scopes that select rows."""
