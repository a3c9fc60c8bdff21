"""Filesystems, mounts, and the disks of the filesystems."""
