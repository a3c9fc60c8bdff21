"""The worker process's part of a round. It builds, times and verifies cases."""
