"""How measurements are drawn: every picture of arrays; nothing here knows a record."""
