"""Evidence and verdicts: does inference move memory demand from HBM to DDR and SSD?"""
