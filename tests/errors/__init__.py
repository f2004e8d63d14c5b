"""Every error line that a person can meet: where the code says it, why, and a command that provokes it."""
