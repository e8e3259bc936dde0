"""Measures the collection on a real hawkBit, beside a floor and beside what people script. `make bench` runs it.

Each benchmark measures its sides in turn, on the same server, and the best run of each counts. A floor is the same work
by plain requests with nothing around them; what is compared with it is a whole run of ansible-playbook or
ansible-inventory. A run in full size writes its table into the documentation.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests")]

TARGETS, RUNS, MEBIBYTES, SAMPLES = 10_000, 2, 1024, 100


def main() -> int:
    """Command line; see the text above."""
    from bench import hawkbit_assign, hawkbit_inventory, hawkbit_register, hawkbit_upload, page
    from bench.measuring import Bench, table

    from servers.hawkbit import start_any

    # those that work on targets of the first one come after it
    every = {
        "register": hawkbit_register.measure,
        "inventory": hawkbit_inventory.measure,
        "assign": hawkbit_assign.measure,
        "upload": hawkbit_upload.measure,
    }
    parser = argparse.ArgumentParser(description="Measures the collection on a real hawkBit.")
    parser.add_argument("--targets", type=int, default=TARGETS, help="how many (default: %(default)s)")
    parser.add_argument("--assigned", type=int, help="how many of them get a set (default: all)")
    parser.add_argument("--runs", type=int, default=RUNS, help="the best of so many counts (default: %(default)s)")
    parser.add_argument("--mebibytes", type=int, default=MEBIBYTES, help="size of the upload (default: %(default)s)")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="requests of a loop (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="write the page though it is not all in full size")
    parser.add_argument("--only", nargs="+", choices=list(every), default=list(every), help="which ones")
    parser.add_argument(
        "--hawkbit", metavar="VERSION", help="release of hawkBit (default: the newest one that runs here)"
    )
    options = parser.parse_args()
    chosen = [name for name in every if name in options.only]
    with tempfile.TemporaryDirectory() as folder:
        preferred = (options.hawkbit,) if options.hawkbit else ("1.0.4", "0.9.0")
        with start_any(preferred) as server:
            sizes = (
                options.targets,
                options.assigned or options.targets,
                options.runs,
                options.mebibytes,
                options.samples,
            )
            bench = Bench(server, Path(folder), *sizes)
            bench.say(f"{server.choice}")
            for name in chosen:
                every[name](bench)
        print(f"\n{table(bench.rows)}\n\n{page.circumstances(bench)}")
        if options.write or (sizes == (TARGETS, TARGETS, RUNS, MEBIBYTES, SAMPLES) and chosen == list(every)):
            print(f"The table is in {page.write(bench).relative_to(ROOT)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
