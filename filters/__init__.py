"""Text in, annotations out; rules over annotations; deduplication."""
