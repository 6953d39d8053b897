"""`picoclaw fake-llm`: a model server that plays a script."""
