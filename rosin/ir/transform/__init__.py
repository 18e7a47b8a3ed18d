"""Graph transforms that make derivatives and batches, by the facts of the ops alone.

They stand in `ir` and not among the passes because ops with regions (calls, loops) use them in their own rules.
"""
