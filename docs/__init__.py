"""The documents, and what makes the references among them."""
