"""Known contents, checksums and pointer rings: how a kernel is proven to have done its work."""
