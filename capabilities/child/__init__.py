"""Children: users' programs, run under a supervisor that leaves nothing of them behind."""
