"""The typed graph IR, its ops with all their target-free facts, and the loop-level IR."""
