"""Bounds of the numbers that measurements hold, checked whenever a record is read."""

from vgbench.boundary.schema import Each

LOG10 = Each(-1e9, 1e9, infinite=True, nan=True)
"""Of a logarithm of a norm: -inf of zero, inf or NaN where the norm left the dtype's range."""
METRIC = Each(0, 1e300, infinite=True)
"""Of a metric: an accuracy, or a loss, infinite where the network overflowed."""
COUNT = Each(0, 2**53)
SHARE = Each(0, 1, nan=True)
"""Of a share, NaN where it is one of nothing."""
RATIO = Each(0, 1e300, infinite=True, nan=True)
"""Of a ratio, infinite or NaN where it is one to zero."""
