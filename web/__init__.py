"""The web: GraphQL over HTTP, sign-in, pages, and the `logbook` command with the services that its demo embeds."""
