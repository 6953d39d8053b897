"""`picoclaw workflows`: one file per verb, and what they share."""
