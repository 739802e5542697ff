"""What dev/to_wandb.py and dev/to_trackio.py share: a run's folder, read step by step, also while the run writes it."""
import argparse
import json
import os
import sys
import time


def arguments(description, more):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", help="a run's folder, with log.jsonl")
    parser.add_argument("--project", default="dereason", help="default: dereason")
    parser.add_argument("--name", help="default: the folder's name")
    parser.add_argument("--follow", action="store_true", help="go on while the run writes, until Ctrl-C")
    more(parser)
    given = parser.parse_args()
    if not os.path.isfile(os.path.join(given.out, "log.jsonl")):
        sys.exit(f"{parser.prog}: {given.out}/log.jsonl is not there; name the folder that --out named")
    given.name = given.name or os.path.basename(os.path.abspath(given.out))
    return given


def options(out):
    """What the run was started with: OUT/options.conf, as texts."""
    path = os.path.join(out, "options.conf")
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        pairs = [line.split("=", 1) for line in file if "=" in line and not line.startswith("#")]
    return {name.strip(): value.strip() for name, value in pairs}


def lines(path, follow):
    """Whole lines; None where there is no more for now. A run that goes on from a checkpoint replaces its log by a
    shorter one, whose steps have the bits that they had: it is read again from its beginning."""
    while True:
        with open(path, encoding="utf-8") as file:
            rest = ""
            while True:
                text = file.readline()
                rest += text
                if rest.endswith("\n"):
                    yield rest
                    rest = ""
                elif not text:
                    yield None
                    if not follow:
                        return
                    time.sleep(1)
                    now = os.stat(path)
                    if now.st_ino != os.fstat(file.fileno()).st_ino or now.st_size < file.tell():
                        break


def steps(out, follow):
    """(step, {name: number}) ascending, each once: what a step and the evaluations after it have logged. Values that
    are not finite are left out. The newest step is held back until the next one begins, or no line follows."""
    step, fields, last = None, {}, -1
    try:
        for line in lines(os.path.join(out, "log.jsonl"), follow):
            if line is None and follow:
                continue
            row = json.loads(line) if line is not None else {"step": None}
            here = row["step"]
            if here is None or (step is not None and here != step):
                if step is not None and step > last:
                    yield step, fields
                    last = step
                fields = {}
            step = here
            fields.update({k: v for k, v in row.items() if k not in ("step", "event") and v is not None})
    except KeyboardInterrupt:
        if step is not None and step > last:
            yield step, fields
