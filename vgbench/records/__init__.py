"""Records of measurements: their schema, their provenance, and how they are written and read."""
