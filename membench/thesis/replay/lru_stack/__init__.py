"""The LRU stack of a whole trace, computed on arrays for many requests at once.

`touches` lists the blocks that each request touches. `stack` finds their positions, with
`successive` and `inversions`. `prefix_rule` finds the capacities at which they hit.
"""
