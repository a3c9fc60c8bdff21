"""A test double of CuPy: the names that the CUDA backend uses, executed on the emulator.

It is as strict as CuPy. Each call of a function is first made to the real CuPy, on this machine
without a driver: CuPy must convert the arguments and fail only because the driver is missing.
Classes accept the arguments in CuPy's signatures, and have no names that CuPy's classes do not
have. Addresses are real: the emulated memory is mapped at the addresses that the emulator uses.

Times are not measurements: the clocks count the emulator's steps.
"""

from cupy_double.device import Double
from cupy_double.patched import patched

__all__ = ["Double", "patched"]
