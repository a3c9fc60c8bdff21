"""The journal of a run, which membench writes after each case and reads to resume the run."""
