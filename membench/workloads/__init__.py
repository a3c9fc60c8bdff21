"""Work that several benches share."""
