"""What comes from outside and what goes there: strict JSON, archives, the schema of records, names, durable files."""
