from pathlib import Path

from neuro2voc.comparison import baseline_fitting
from neuro2voc.decoding import decode, fixed_fit, write_decoding
from neuro2voc.jobs import job
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials, used_trials

with job(snakemake):
    params, output = snakemake.params, snakemake.output
    trials = used_trials(read_trials(snakemake.input.trials))
    split = read_split(snakemake.input.split)
    for paths in zip(output.predictions, output.metrics, strict=True):
        name = Path(paths[0]).parent.name
        features, model = baseline_fitting(name, trials)
        fit = fixed_fit(model)
        result = decode(
            features, trials, split, lambda _, fit=fit: (fit, []), params.resamples, params.seed
        )
        write_decoding(paths, *result, decoder=name, **snakemake.wildcards)
