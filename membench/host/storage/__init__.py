"""The scratch file, and the engines that read and write it."""
