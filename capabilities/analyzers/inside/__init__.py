"""What runs inside an analyzer's child process: scripts run by path, importing nothing of ours."""
