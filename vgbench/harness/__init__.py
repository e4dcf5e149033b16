"""Running suites: devices, provenance, one task at a time, and what is still to do."""
