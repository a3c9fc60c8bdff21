"""The GPU: the interface that benches use, and the verification of results."""
