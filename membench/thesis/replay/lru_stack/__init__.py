"""The LRU stack of a whole trace, computed on arrays for many requests at once.

- `touches` lists the blocks that each request touches.
- `stack` finds the stack positions of these blocks, with `successive` and `inversions`.
- `prefix_rule` finds the capacities at which these blocks hit.
"""
