"""The sections of the report, one module per section."""
