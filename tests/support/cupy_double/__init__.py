"""A double of CuPy: the names that the CUDA backend uses, executed on the emulator.

It is no laxer than the real one.  Every call of a plain function is first made to CuPy itself, on
this machine without a driver: CuPy converts the arguments, and must then get as far as the driver
is missing.  Classes take their arguments by CuPy's signatures, and have no name that CuPy's lack.
Addresses are true ones: the emulated memory lies where the emulator says that it lies.

What it shows is not a measurement: the clocks count the emulator's steps.
"""

from cupy_double.device import Double
from cupy_double.patched import patched

__all__ = ["Double", "patched"]
