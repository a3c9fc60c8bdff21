"""What a person sees: terminal tables and progress; the only room that may import rich."""
