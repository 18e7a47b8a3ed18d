"""Special functions that are formulas, one file a family; what does not use a family does not load it."""
