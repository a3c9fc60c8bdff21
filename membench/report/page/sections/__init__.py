"""The sections of the report: from runs to content, one module a section."""
