"""What `picoclaw describe` prints, one kind of thing per file."""
