"""The CPUs of a case, the caches that these CPUs can reach, and the resulting array sizes."""
