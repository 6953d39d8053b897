"""From the results of subtasks to one honest report."""
