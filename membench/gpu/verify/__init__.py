"""Known contents, checksums and pointer rings, to verify that a kernel did its work."""
