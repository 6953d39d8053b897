"""Shell completion: the script, and what is offered for ids and names."""
