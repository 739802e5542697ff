#!/usr/bin/env python3
"""A run's log.jsonl to Weights & Biases: every step with its evaluations, and the options as the run's configuration.

usage: dev/to_wandb.py OUT [--follow] [--online] [--project P] [--name N] [--folder F]
Offline unless --online is given: the files are in F (./wandb), and `wandb sync` sends them. The same OUT is the same
run there, so it may be sent again. Needs: pip install wandb.
"""
import hashlib
import os
import sys

import run_log

try:
    import wandb
except ImportError:
    sys.exit("to_wandb.py: wandb is not installed: pip install wandb")


def more(parser):
    parser.add_argument("--online", action="store_true", help="send at once, as who is logged in")
    parser.add_argument("--folder", default=".", help="where wandb/ is made; default: here")


given = run_log.arguments(__doc__, more)
os.makedirs(given.folder, exist_ok=True)
run = wandb.init(project=given.project, name=given.name, dir=given.folder, config=run_log.options(given.out),
                 id=hashlib.sha256(os.path.abspath(given.out).encode()).hexdigest()[:16], resume="allow",
                 mode="online" if given.online else "offline",
                 settings=wandb.Settings(x_disable_stats=True, console="off"))
sent = run.step if given.online else 0  # steps that an earlier pass has sent
for step, fields in run_log.steps(given.out, given.follow):
    if step >= sent:
        run.log(fields, step=step)
run.finish()
