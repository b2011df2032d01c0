"""How fast Genus is on this machine, beside what the machine can do.

`python benchmarks/speed.py [--quick] [--only extraction train start size memory]` measures

extraction
    Images a second from JPEG files to features, against the limit 1 / (1 / decoding + 1 / inference) of the two
    stages alone, each with all cores. The three are measured in turns, several times; the medians count.
train
    `genus train` as a command on about 1,400 photographs: cold (empty cache) and warm.
start
    `genus --help` and `genus predict one.jpg` from a cold start.
size
    What the base install takes on disk.
memory
    The peak of `genus features` on 6,000 and on 60,000 images.

Prints tables; writes benchmarks/out/speed.json. Nothing else should run on the machine meanwhile.
"""

import argparse
import json
import os
import platform
from collections.abc import Callable
from typing import Any

from real_sets import OUT
from speed_commands import measure_start, measure_train
from speed_extraction import measure_extraction
from speed_footprint import measure_memory, measure_size

MEASUREMENTS: dict[str, Callable[[bool], dict[str, Any]]] = {
    "extraction": measure_extraction,
    "train": measure_train,
    "start": measure_start,
    "size": measure_size,
    "memory": measure_memory,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", default=list(MEASUREMENTS), choices=list(MEASUREMENTS))
    parser.add_argument(
        "--quick", action="store_true", help="few images, few repetitions: does it run at all?"
    )
    args = parser.parse_args()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    record: dict[str, Any] = {"machine": processor(), "cores": cores, "quick": args.quick}
    print(f"{record['machine']}, {cores} cores, Python {platform.python_version()}")
    OUT.mkdir(exist_ok=True)
    for name in args.only:
        print(f"\n## {name}", flush=True)
        record[name] = MEASUREMENTS[name](args.quick)
        (OUT / "speed.json").write_text(json.dumps(record, indent=1), "utf-8")


def processor() -> str:
    """Name the processor, where the system says it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
