"""Words and shapes that every room shares: terms, units, errors, cases, work, the snapshot."""
