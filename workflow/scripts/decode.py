from neuro2voc.decoders import make_decoder
from neuro2voc.decoding import decode, tuned_fit, write_decoding
from neuro2voc.features import read_features
from neuro2voc.jobs import job
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials, used_trials

with job(snakemake.log[0]):
    params, names = snakemake.params, snakemake.wildcards

    def fitting(feature):
        model, grid = make_decoder(names.decoder, params.seed, feature)
        return tuned_fit(model, grid, names.split, params.inner_folds, params.seed)

    predictions, metrics = decode(
        read_features(params.features, snakemake.input.tensors),
        used_trials(read_trials(snakemake.input.trials)),
        read_split(snakemake.input.split),
        fitting,
        params.resamples,
        params.seed,
    )
    write_decoding(tuple(snakemake.output), predictions, metrics, **names)
