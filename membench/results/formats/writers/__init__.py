"""Writers of other formats, with one module per format."""
