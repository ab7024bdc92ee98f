"""The command line: thin verbs over the packages, imported only when called."""
