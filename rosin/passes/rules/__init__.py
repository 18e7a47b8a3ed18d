"""The rules of rosin.passes.simplify and rosin.passes.strength, by family of ops."""
