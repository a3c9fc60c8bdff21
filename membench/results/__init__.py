"""Records: from what a worker measured to files that outlive the run, and back.

Floor 1, the standard library alone.  `Unit` and `Plan` are what a run produces
and sets out to do, the `Journal` keeps them while it goes on, `rows` makes them
into the `Row` of a results file, and the `Sidecar` explains the run.  Each has
a module of its own; importing the package imports none of them, because
`membench list` needs but one.
"""
