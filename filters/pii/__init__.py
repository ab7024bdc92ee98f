"""Personal data in text: addresses, numbers and identifiers of people."""
