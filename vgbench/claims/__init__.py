"""Claims judged by records: statistics and signs of cells, and what their intervals say.

Importing this package registers the statistics and the signs.
"""

from vgbench.claims import signs as _signs
from vgbench.claims import statistics as _statistics

del _signs, _statistics
