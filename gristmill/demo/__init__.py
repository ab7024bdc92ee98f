"""The demonstration: a small crawl of documentation that any Python has, and the path over it."""
