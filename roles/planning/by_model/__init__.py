"""Plans by a model: what it is told, how its answer is read, and what it may plan. Pure."""
