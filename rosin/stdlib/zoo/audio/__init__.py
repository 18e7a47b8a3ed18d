"""Models that hear."""
