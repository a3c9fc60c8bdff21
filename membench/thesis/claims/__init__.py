"""The claims of the thesis that inference moves memory demand from HBM to DDR and SSD.

This package has the evidence, the statistics and the verdicts.
"""
