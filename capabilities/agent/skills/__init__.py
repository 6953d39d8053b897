"""Skills in the SKILL.md convention: found, checked, and loaded by an agent when it needs one."""
