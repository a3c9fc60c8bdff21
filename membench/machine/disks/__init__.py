"""Filesystems, mounts, and the disks under them."""
