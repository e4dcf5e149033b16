"""Cases, suites and claims, and the registries of all that they can name."""
