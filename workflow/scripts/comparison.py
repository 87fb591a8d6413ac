import json
from pathlib import Path

from neuro2voc.comparison import comparison_table, read_nulls
from neuro2voc.decoding import read_predictions
from neuro2voc.figures.comparison import draw_comparison
from neuro2voc.files import read_csv, save_figure, write_csv
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials, used_trials

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    table = comparison_table(
        [
            json.loads(Path(path).read_text())
            for path in [*files.metrics, *files.networks, *files.baselines]
        ],
        read_nulls(files.nulls),
        read_predictions(files.oracle) if files.oracle else None,
        used_trials(read_trials(files.trials)),
        {Path(path).stem: read_split(path) for path in files.splits},
        *(params.resamples, params.seed),
        (read_csv(files.predecessors, ["feature"]), params.split) if files.predecessors else None,
        params.windows,
    )
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    save_figure(draw_comparison(table, recording, params.surrogate), snakemake.output.figure)
    write_csv(table, snakemake.output.table)
