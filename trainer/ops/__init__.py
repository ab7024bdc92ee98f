"""One function per operation, each with interchangeable backends."""
