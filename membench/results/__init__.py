"""Results of a run: how they are stored while it runs, written to files, and read again.

Floor 1; uses only the standard library. `Plan` describes what a run will measure, and `CaseResult`
is one result. The `Journal` stores both during the run. `rows` makes the `Row`s of a results file
from them, and the `Sidecar` describes the run. Each is in a separate module; importing the package
imports none of them, because `membench list` needs only one.
"""
