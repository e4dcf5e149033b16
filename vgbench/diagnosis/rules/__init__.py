"""What each finding asks of the evidence. A rule says nothing where what it needs was not recorded."""
