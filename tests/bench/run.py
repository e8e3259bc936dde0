"""Measures the collection beside a floor and beside what people script. `make bench` runs it.

hawkBit is a real server, Mender a simulated one. Each benchmark measures its sides in turn, on the same server, and the
best run of each counts. A floor is the same work by plain requests with nothing around them; what is compared with it
is a whole run of ansible-playbook or ansible-inventory. A run in full size writes its table into the documentation.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests")]

TARGETS, RUNS, MEBIBYTES, SAMPLES = 10_000, 2, 1024, 100
DEVICES = (10_000, 100_000)


def main() -> int:
    """Command line; see the text above."""
    from bench import (
        hawkbit_assign,
        hawkbit_inventory,
        hawkbit_register,
        hawkbit_upload,
        mender_inventory,
        mender_upload,
        page,
    )
    from bench.hawkbit import bench as hawkbit_bench
    from bench.measuring import Measured, table
    from bench.mender import MenderSizes

    from servers.hawkbit import start_any

    # those that work on targets of the first one come after it
    on_hawkbit = {
        "register": hawkbit_register.measure,
        "inventory": hawkbit_inventory.measure,
        "assign": hawkbit_assign.measure,
        "upload": hawkbit_upload.measure,
    }
    on_mender = {"mender_inventory": mender_inventory.measure, "mender_upload": mender_upload.measure}
    every = [*on_hawkbit, *on_mender]
    parser = argparse.ArgumentParser(description="Measures the collection on a real hawkBit and a simulated Mender.")
    parser.add_argument("--targets", type=int, default=TARGETS, help="of hawkBit, how many (default: %(default)s)")
    parser.add_argument("--assigned", type=int, help="how many of them get a set (default: all)")
    parser.add_argument(
        "--devices", type=int, nargs="+", default=DEVICES, help="of Mender, one fleet each (default: 10000 100000)"
    )
    parser.add_argument("--runs", type=int, default=RUNS, help="the best of so many counts (default: %(default)s)")
    parser.add_argument("--mebibytes", type=int, default=MEBIBYTES, help="size of the upload (default: %(default)s)")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="requests of a loop (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="write the page though it is not all in full size")
    parser.add_argument("--only", nargs="+", choices=every, default=every, help="which ones")
    parser.add_argument(
        "--hawkbit", metavar="VERSION", help="release of hawkBit (default: the newest one that runs here)"
    )
    options = parser.parse_args()
    chosen = [name for name in every if name in options.only]
    measured = Measured(runs=options.runs, samples=options.samples)
    with tempfile.TemporaryDirectory() as folder:
        shared = {
            "folder": Path(folder),
            "runs": options.runs,
            "mebibytes": options.mebibytes,
            "samples": options.samples,
            "rows": measured.rows,
        }
        if on_hawkbit.keys() & chosen:
            preferred = (options.hawkbit,) if options.hawkbit else ("1.0.4", "0.9.0")
            with start_any(preferred) as server:
                measured.server = f"hawkBit {server.version}, its database in memory"
                assigned = options.assigned or options.targets
                bench = hawkbit_bench(server, targets=options.targets, assigned=assigned, **shared)
                bench.say(f"{server.choice}")
                for name, measure in on_hawkbit.items():
                    if name in chosen:
                        measure(bench)
        for name, measure_mender in on_mender.items():
            if name in chosen:
                measure_mender(MenderSizes(devices=options.devices, **shared))
    print(f"\n{table(measured.rows)}\n\n{page.circumstances(measured)}")
    sizes = (options.targets, options.assigned or options.targets, options.runs, options.mebibytes, options.samples)
    full = sizes == (TARGETS, TARGETS, RUNS, MEBIBYTES, SAMPLES) and tuple(options.devices) == DEVICES
    if options.write or (full and chosen == every):
        print(f"The table is in {page.write(measured).relative_to(ROOT)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
