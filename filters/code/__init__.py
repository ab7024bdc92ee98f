"""Source files: their language, origin, licence, comments and syntax."""
