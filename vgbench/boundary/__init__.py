"""Checked input and output: strict JSON, archives, the schema of records, names, and durable files."""
