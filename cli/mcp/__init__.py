"""`picoclaw mcp`: the MCP servers whose tools agents may use."""
