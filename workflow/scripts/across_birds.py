from neuro2voc.across import across_birds, read_bird
from neuro2voc.figures.birds import draw_across
from neuro2voc.files import save_figure, write_csv
from neuro2voc.jobs import job

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    birds = [
        read_bird(name, *paths, params.feature, params.labels.get(name, {}))
        for name, *paths in zip(
            params.birds, files.tensors, files.trials, files.splits, strict=True
        )
    ]
    table = across_birds(birds, params.resamples, params.replicates, params.seed)
    save_figure(draw_across(table, params.feature, params.simulated), snakemake.output.figure)
    write_csv(table, snakemake.output.table)
