"""`picoclaw skills`: what agents can load when they need it."""
