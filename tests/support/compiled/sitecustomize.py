"""Keeps what Python compiles of packed modules, for the next process that has the same source.

A module arrives as a zip file, of which Python compiles every source again in each process; that is
most of the time a module takes. Python, of any version, reads this file at its start where it
is on ``PYTHONPATH``.
"""

import hashlib
import marshal
import os
import sys
import zipimport
from contextlib import suppress

FOLDER = os.environ.get("RUNBOOK_TESTS_COMPILED", "")
compile_source = getattr(zipimport, "_compile_source", None)  # none before Python 3.8


def kept(path, source):
    """What was compiled of this source before, under whatever name its zip file had then."""
    python = f"{sys.implementation.cache_tag}-{sys.flags.optimize}"
    digest = hashlib.sha256(source).hexdigest()
    name = os.path.join(FOLDER, f"{os.path.basename(path)}-{python}-{digest}")
    with suppress(OSError, ValueError, EOFError), open(name, "rb") as file:
        return marshal.load(file)
    code = compile_source(path, source)
    with suppress(OSError):  # another user, or a full disk: that of the test
        part = f"{name}.{os.getpid()}"
        with open(part, "wb") as file:
            marshal.dump(code, file)
        os.rename(part, name)
    return code


if FOLDER and compile_source:
    zipimport._compile_source = kept
