"""From a request to a validated plan of subtasks."""
