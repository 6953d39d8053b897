"""Models: one small interface, an adapter for each way to reach one."""
