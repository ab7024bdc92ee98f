"""Start-up: `gristmill --help`, and planning a mixture of 6.6T declared tokens, as whole processes.

Floors beside them: the bare interpreter, and the interpreter with typer imported.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

GRISTMILL = str(Path(sys.executable).with_name("gristmill"))

COMMANDS = {
    "help_seconds": [GRISTMILL, "--help"],
    "plan_seconds": [GRISTMILL, "mix", "plan", "mixtures/nemotron-nano-2", "--json"],
    "python_seconds": [sys.executable, "-c", "pass"],
    "typer_seconds": [sys.executable, "-c", "import typer"],
}


def wall_seconds(command: list[str]) -> float:
    """Seconds from start to end of one process."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Run all commands turn by turn and print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    runs = 3 if options.quick else 15
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for turn in range(runs + 1):
        for name, command in COMMANDS.items():
            seconds = wall_seconds(command)
            if turn:  # the first turn warms the file cache
                times[name].append(seconds)
    medians = {name: round(statistics.median(values), 4) for name, values in times.items()}
    if not options.json:
        for name, values in times.items():
            spread = f"min {min(values):.3f}  max {max(values):.3f}  ({runs} runs)"
            print(f"{name:16} median {medians[name]:.3f}  {spread}")
    else:
        print(json.dumps({**medians, "runs": runs}))


if __name__ == "__main__":
    main()
