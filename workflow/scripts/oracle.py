from neuro2voc.binning import read_tensor
from neuro2voc.decoding import write_decoding
from neuro2voc.features import by_window
from neuro2voc.jobs import job
from neuro2voc.sources.oracle import consult
from neuro2voc.sources.simulate import read_truth
from neuro2voc.trials import read_trials, used_trials

with job(snakemake):
    params = snakemake.params
    predictions, metrics = consult(
        read_truth(snakemake.input.truth),
        used_trials(read_trials(snakemake.input.trials)),
        by_window(map(read_tensor, snakemake.input.tensors)),
        params.features,
        params.resamples,
        params.seed,
    )
    write_decoding(
        tuple(snakemake.output), predictions, metrics, decoder="oracle", **snakemake.wildcards
    )
