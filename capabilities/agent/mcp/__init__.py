"""MCP: servers that a user names in a file; their tools become tools of agents."""
