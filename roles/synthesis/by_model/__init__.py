"""Reports by a model: its evidence, its citations, and what is said of it. Pure."""
