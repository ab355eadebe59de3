"""Access rules: viewers and their standings, the policy table, and the scopes that select rows."""
