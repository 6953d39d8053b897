"""`picoclaw approvals|approve|deny`: what agents ask people, and the answers."""
