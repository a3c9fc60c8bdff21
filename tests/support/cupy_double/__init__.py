"""A test double of CuPy: the names that the CUDA backend uses, executed on the emulator.

The double is as strict as CuPy. The double passes each call first to the real CuPy, on a machine
without a driver. CuPy must convert the arguments and fail only because the driver is missing.
Classes accept the arguments in CuPy's signatures, and have only names that CuPy's classes have.
Addresses are real: the emulated memory is mapped at the addresses that the emulator uses.

Times are not measurements: the clocks count the emulator's steps.
"""

from cupy_double.device import Double
from cupy_double.patched import patched

__all__ = ["Double", "patched"]
