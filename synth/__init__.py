"""Documents in, teacher-written documents out. Empty for now: nothing here pretends to work."""
