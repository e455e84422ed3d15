"""The operator, counting the functions that it calls: `python counted_operator.py FILE …`.

When it is told to end it writes the number to FILE. Unlike seconds, it does not depend on what else the machine does.
"""

import atexit
import sys
from pathlib import Path
from types import FrameType

from tidegate.control.main import main


class Calls:
    """Calls of functions, those in C included."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        if event in ("call", "c_call"):
            self.number += 1


if __name__ == "__main__":
    calls, file = Calls(), Path(sys.argv.pop(1))
    atexit.register(lambda: file.write_text(str(calls.number)))
    sys.setprofile(calls)
    main()
