"""Compiling the hot loops: Numba's `njit`, imported late, with a cache on disk that knows of all kernels.

A kernel is compiled when it is first called; until then Numba is not even imported, so that the command line
may look at annotators for nothing. Numba looks at the file of a function alone to tell whether its cached
machine code is still good, though functions of other files are compiled into it. Here the code counts as
stale when any file of this package that holds kernels has changed, by content; touching a file changes
nothing.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])


@functools.cache
def _stamp() -> str:
    """Digest of all files that hold kernels."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.rglob("*.py")):
        source = file.read_bytes()
        if b"filters.jit" in source:
            digest.update(file.name.encode() + b"\0" + source)
    return digest.hexdigest()


class _Kernel:
    """A function that turns into Numba's dispatcher when it is called, with the kernels that it calls."""

    def __init__(self, function: Callable[..., Any], **options: Any) -> None:
        functools.update_wrapper(self, function)
        self.function, self.options = function, options

    @functools.cached_property
    def compiled(self) -> Any:
        """The dispatcher, put in the function's place in its module."""
        import numba

        names = self.function.__globals__
        for name in self.function.__code__.co_names:
            if isinstance(names.get(name), _Kernel):
                names[name] = names[name].compiled
        options = {"nogil": True, "error_model": "numpy", **self.options}
        try:
            compiled: Any = numba.njit(self.function, cache=True, **options)
            # No public name for this; where Numba has it no more, every process compiles: slow, not wrong.
            compiled._cache._cache_file._source_stamp = _stamp()
        except (RuntimeError, AttributeError):
            # No folder to keep machine code in.
            compiled = numba.njit(self.function, **options)
        if names.get(self.function.__name__) is self:
            names[self.function.__name__] = compiled
        return compiled

    def __call__(self, *arguments: Any) -> Any:
        return self.compiled(*arguments)


def kernel(function: Function) -> Function:
    """Compile on the first call, without the interpreter's lock, and keep the machine code on disk.

    Where no folder can be written to, every process compiles for itself. A kernel calls kernels by their
    global names.
    """
    return cast(Function, _Kernel(function))


def loop(function: Function) -> Function:
    """A kernel that makes no array, nor does any that it calls: it need not count references.

    The counts are atomic operations, several for each array of each call: a call without them takes a tenth
    of the time.
    """
    return cast(Function, _Kernel(function, _nrt=False))
