"""Claims judged by records: statistics and signs of cells, and what their intervals say."""
