from neuro2voc.embedding_files import make_plan, write_embedded
from neuro2voc.embedding_scores import embed_bird
from neuro2voc.files import write_csv
from neuro2voc.inclusion import open_bird
from neuro2voc.jobs import job
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    recording = open_bird(files.recording, files.inclusion, snakemake.wildcards.bird)
    plan = make_plan(
        params.settings, params.device, params.null_seeds, params.resamples, params.seed
    )
    trials, split = read_trials(files.trials), read_split(files.split)
    embedded = embed_bird(recording, trials, split, plan)
    write_embedded(embedded, plan.lead, snakemake.output.points)
    write_csv(embedded.scores, snakemake.output.scores)
    write_csv(embedded.curves, snakemake.output.losses)
