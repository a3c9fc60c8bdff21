"""Benches of disks and paging."""
