"""Pictures and charts, drawn from record folders only."""
