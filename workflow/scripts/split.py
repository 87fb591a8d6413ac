from neuro2voc.files import write_csv
from neuro2voc.jobs import job
from neuro2voc.recording import Recording
from neuro2voc.splits import make_split
from neuro2voc.trials import read_trials

with job(snakemake):
    params = snakemake.params
    split = make_split(
        snakemake.wildcards.split,
        read_trials(snakemake.input.trials),
        Recording.open(snakemake.input.recording).sessions,
        params.folds,
        params.guard,
        params.seed,
        snakemake.wildcards.bird,
    )
    write_csv(split, snakemake.output.split)
