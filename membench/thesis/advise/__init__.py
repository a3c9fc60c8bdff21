"""What a machine's measurements advise for one model."""
