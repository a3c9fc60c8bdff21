"""Known contents, checksums and pointer rings. They show whether a kernel did its work."""
