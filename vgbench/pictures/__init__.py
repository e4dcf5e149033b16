"""Charts of arrays; no module here uses records."""
