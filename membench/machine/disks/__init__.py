"""Filesystems, mounts and their disks."""
