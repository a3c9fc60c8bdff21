"""Known contents, checksums and pointer rings, which prove that a kernel did its work."""
