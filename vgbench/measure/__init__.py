"""The three measurements of a case, each a function from a case to a plain result of numpy arrays and numbers."""

PRECISION = 0.02
"""Half the interval of a pair's ratio over that ratio, at which timing the pair may end."""
