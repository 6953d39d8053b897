"""A model server that plays a script: real protocols, no model, nothing to pay."""
