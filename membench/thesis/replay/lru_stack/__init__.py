"""The LRU stack of a whole trace on arrays, many requests at once.

`touches` (the blocks that each request touches) -> `stack` (their positions; it uses `successive`
and `inversions`) -> `prefix_rule` (the capacity from which on they hit).
"""
