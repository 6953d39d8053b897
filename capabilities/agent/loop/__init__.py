"""The loop: message, model, tools, again; each step journaled."""
