"""The StableHLO target: a graph as text that XLA compiles for TPUs, and for whatever else it has a compiler for."""
