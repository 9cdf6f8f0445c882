"""Tools that others carry out: MCP servers, and APIs with an OpenAPI document. Nothing is run in this process."""
