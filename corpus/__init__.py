"""Sources in, documents out: the document store and everything that fills, decides on and reports it."""
