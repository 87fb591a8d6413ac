from neuro2voc.checkpoints import remove_checkpoints
from neuro2voc.comparison import null_band
from neuro2voc.files import write_csv
from neuro2voc.inclusion import read_inclusion
from neuro2voc.jobs import job
from neuro2voc.network_fit import network_fits, network_settings
from neuro2voc.recording import Recording
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials

with job(snakemake):
    files, params = snakemake.input, snakemake.params
    settings = [
        network_settings(name, snakemake.wildcards.split, params.sizes[name], params)
        for name in params.networks
    ]
    null = null_band(
        Recording.open(files.recording),
        read_inclusion(files.inclusion),
        read_trials(files.trials),
        read_split(files.split),
        read_split(files.kept) if files.kept else None,
        *(params.kind, params.seeds),
        network_fits(settings, params.features, params.windows),
        *(params.windows, params.trials),
    )
    write_csv(null, snakemake.output.null)
    remove_checkpoints(params.checkpoints)
