# Targets that nothing makes end here, in a sentence, before Snakemake searches its rules for them.

import os
import re

from snakemake.cli import get_argument_parser
from snakemake.exceptions import WorkflowError
from snakemake.io import strip_wildcard_constraints


def check_targets(targets):
    """Stop at the first target that is neither a rule nor made by one."""
    for target in map(os.path.normpath, targets):
        makers = (r.name == target or r.is_producer(target) for r in workflow.rules)
        if not any(makers):
            hint = nearest(target, examples(target)) or "."
            stop(f"no rule makes {target}{hint} README.md lists the figures.")


def examples(target):
    """What can be made of the bird that a target names, with split and feature of `confusion`."""
    parts = [
        part for n in re.split(r"[/.]", target) for part in (n, *re.split("[@~]", n))
    ]
    bird = next(n for n in (*parts, *config["birds"]) if passes(check_bird, n))
    known = {"bird": bird, "window": [*config["windows"]][0], "vae": "vae"}
    decoders = *config["decoders"], *configuration.NETWORKS, *configuration.SEQUENCES
    paths = dict.fromkeys(
        (
            maker,
            strip_wildcard_constraints(path).format(
                **{**known, **config["confusion"], "decoder": decoder}
            ),
        )
        for maker in workflow.rules
        for path in maker.output
        for decoder in decoders
        if path.startswith("results/")
    )
    return [
        path
        for maker, path in paths
        if maker.is_producer(path)
        and passes(maker.expand_input, maker.get_wildcards(path))
    ]


def passes(function, *arguments):
    """Tell whether none of our checks stops what a function is asked for."""
    try:
        function(*arguments)
    except (SystemExit, WorkflowError):
        return False
    return True


# Rules are read before Snakemake tells them its targets; the command line is there already. Jobs
# repeat what was checked.
called = Path(sys.argv[0]).name in ("snakemake", "__main__.py")
if called and "--target-jobs" not in sys.argv:
    check_targets(get_argument_parser().parse_args().targets)
