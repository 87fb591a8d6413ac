import json
from pathlib import Path

import pandas as pd

from neuro2voc.comparison import read_null
from neuro2voc.figures.grid import cell_table, draw_grid
from neuro2voc.files import read_csv, save_figure, write_csv
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job

with job(snakemake):
    files = snakemake.input
    columns = {"feature": str, "balanced_accuracy": float, "chosen": bool}
    grids = {Path(path).stem: read_csv(path, columns) for path in files.grids}
    table = cell_table(
        pd.concat(grids, names=["decoder"]).reset_index("decoder"),
        [json.loads(Path(path).read_text()) for path in files.metrics],
        pd.concat(map(read_null, files.nulls)) if files.nulls else None,
    )
    bird = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    save_figure(draw_grid(table, bird, snakemake.params.surrogate), snakemake.output.figure)
    write_csv(table, snakemake.output.table)
