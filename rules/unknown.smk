# Targets that nothing makes end here, in a sentence, before Snakemake searches its rules for them.

import os
import re

from snakemake.cli import get_argument_parser
from snakemake.io import strip_wildcard_constraints


def check_targets(targets):
    """Stop at the first target that is neither a rule nor made by one."""
    for target in map(os.path.normpath, targets):
        makers = (r.name == target or r.is_producer(target) for r in workflow.rules)
        if not any(makers):
            hint = nearest(target, examples(target)) or "."
            stop(f"no rule makes {target}{hint} README.md lists the figures.")


def examples(target):
    """The results of the bird that a target names, with the cell under `confusion`."""
    birds = configuration.bird_names(config)
    names = [n for n in re.split(r"[/.]", target) if re.split("[@~]", n)[0] in birds]
    known = {"bird": [*names, *config["birds"]][0], "window": [*config["windows"]][0]}
    paths = [strip_wildcard_constraints(p) for r in workflow.rules for p in r.output]
    return [
        path.format(**known, **config["confusion"])
        for path in paths
        if path.startswith("results/")
    ]


# Rules are read before Snakemake tells them its targets; the command line is there already. Jobs
# repeat what was checked.
called = Path(sys.argv[0]).name in ("snakemake", "__main__.py")
if called and "--target-jobs" not in sys.argv:
    check_targets(get_argument_parser().parse_args().targets)
