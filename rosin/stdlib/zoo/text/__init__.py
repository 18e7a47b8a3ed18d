"""Models of text, and what they are trained, written and measured with."""
