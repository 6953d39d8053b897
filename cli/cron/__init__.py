"""`picoclaw cron`: what comes again and again."""
