"""What every room shares: vocabulary, units, errors, cases, work, and the machine snapshot."""
