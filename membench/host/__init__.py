"""Measurement of host memory and disks."""
