"""Models of text, and what they are trained and sampled with."""
