"""The three measurements of a case, each a function from a case to a plain result of numpy arrays and numbers."""
