"""Recording people's own training runs, and asking what they show."""
