#!/usr/bin/env python3
"""A run's log.jsonl to trackio: every step with its evaluations, and the options as the run's configuration.

usage: dev/to_trackio.py OUT [--follow] [--project P] [--name N] [--space USER/SPACE]
Local unless --space names a place on the hub; `trackio show` opens the page. Needs: pip install trackio.
"""
import sys

import run_log

try:
    import trackio
except ImportError:
    sys.exit("to_trackio.py: trackio is not installed: pip install trackio")


def more(parser):
    parser.add_argument("--space", help="a space on the hub, to send it there")


given = run_log.arguments(__doc__, more)
try:
    known = [] if given.space else [run.name for run in trackio.Api().runs(given.project)]
except ValueError:  # no such project yet
    known = []
if given.name in known:
    sys.exit(f"to_trackio.py: {given.project} has a run {given.name} already; give another --name, or delete that one")
trackio.init(project=given.project, name=given.name, space_id=given.space, config=run_log.options(given.out), embed=False,
             auto_log_gpu=False, auto_log_cpu=False)
for step, fields in run_log.steps(given.out, given.follow):
    trackio.log(fields, step=step)
trackio.finish()
