"""The mitigations, one file a slot; each member is one small function with its source."""
