"""Commands: any program as a capability, defined in YAML."""
