"""Runs the benchmarks: each program beside this one, in turn. `make bench` runs it.

Each of them measures with its peers and its floor in the same run and prints a table. Arguments go to all of them.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Run all benchmarks; return 1 when one of them has failed."""
    failed = False
    for program in sorted(Path(__file__).parent.glob("*_*.py")):
        print(f"\n{program.stem}\n{'=' * len(program.stem)}", flush=True)
        failed |= subprocess.run([sys.executable, str(program), *sys.argv[1:]], check=False).returncode != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
