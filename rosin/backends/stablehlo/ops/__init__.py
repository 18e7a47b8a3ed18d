"""How each op is written in StableHLO, in files named as those of rosin/ir/ops."""
