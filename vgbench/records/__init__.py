"""What is kept of a measurement, where it comes from, and how it is written and read."""
