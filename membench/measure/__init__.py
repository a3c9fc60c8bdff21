"""From a plan to a journal: rounds in fresh worker processes, samples, flags, results."""
