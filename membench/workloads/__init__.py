"""The measured operations that several benches use, such as copies and attention."""
