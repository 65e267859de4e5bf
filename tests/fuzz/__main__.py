"""`python -m tests.fuzz --seconds N [--seed S] [--target NAME]`; `--input BASE64` tries one input again."""

from __future__ import annotations

import argparse
import base64
import random
import sys

from tests.fuzz.run import Broken, run
from tests.fuzz.targets import TARGETS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="random input at every door")
    parser.add_argument("--seconds", type=float, default=30.0, metavar="N", help="for each target (default: 30)")
    parser.add_argument("--seed", type=int, help="the same seed gives the same inputs (default: drawn, and shown)")
    parser.add_argument("--target", choices=[target.name for target in TARGETS], action="append", help="only these")
    parser.add_argument("--input", metavar="BASE64", help="try this one input; needs --target")
    arguments = parser.parse_args()
    chosen = [target for target in TARGETS if not arguments.target or target.name in arguments.target]
    if arguments.input is not None:
        if len(chosen) != 1:
            parser.error("--input needs one --target")
        print(chosen[0].check(base64.b64decode(arguments.input)))
        return 0
    seed = random.SystemRandom().randrange(2**31) if arguments.seed is None else arguments.seed
    print(f"seed {seed}, {arguments.seconds:g} s for each of {len(chosen)} targets", flush=True)
    broken = total = 0
    for target in chosen:
        try:
            report = run(target, seed=seed, seconds=arguments.seconds)
        except Broken as error:
            broken += 1
            print(f"BROKEN {error}", flush=True)
            continue
        total += report.inputs
        words = ", ".join(f"{word} {count}" for word, count in report.words.most_common(6))
        more = f" and {len(report.words) - 6} more" if len(report.words) > 6 else ""
        print(f"{target.name:<24} {report.inputs:>9} inputs  {words}{more}", flush=True)
    print(f"{total} inputs, {broken} targets broken")
    return 1 if broken else 0


sys.exit(main())
