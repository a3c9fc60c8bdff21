"""The LRU stack of a whole trace on arrays, many requests at once.

`touches` (what each request touches) -> `stack` (where it was; by way of
`successive` and `inversions`) -> `prefix_rule` (from which capacity on it hits).
"""
