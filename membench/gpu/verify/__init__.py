"""Known contents, checksums and pointer rings that show whether a kernel did its work."""
