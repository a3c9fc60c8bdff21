"""What all other packages use: vocabulary, units, errors, cases, work, and the machine snapshot."""
