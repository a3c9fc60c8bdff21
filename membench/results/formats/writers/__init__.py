"""Writers of other formats, one module per format."""
