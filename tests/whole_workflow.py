"""Whole workflows as subprocesses."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TINY = ROOT / "tests" / "tiny.yaml"


def snakemake(folder, *arguments, overlay=TINY, **environment):
    command = [sys.executable, "-m", "snakemake", "--directory", str(folder)]
    if "--snakefile" not in arguments:
        command += ["--snakefile", str(ROOT / "Snakefile")]
    command += ["--configfile", str(overlay)] if overlay else []
    return subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )
