"""Parts of the tools that work on what others wrote: files opened within a root, searches and pages in a process of their own."""
