from neuro2voc.configuration import derive_seed
from neuro2voc.decoders import make_decoder
from neuro2voc.decoding import decode, tuned_fit, write_decoding
from neuro2voc.features import read_features
from neuro2voc.jobs import job
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials, used_trials

with job(snakemake) as log:
    files, params, names = snakemake.input, snakemake.params, snakemake.wildcards
    features = read_features(params.features, files.tensors)
    trials, split = used_trials(read_trials(files.trials)), read_split(files.split)
    outputs = zip(snakemake.output.predictions, snakemake.output.metrics, strict=True)
    for decoder, paths in zip(params.decoders, outputs, strict=True):
        log.info("%s", decoder)
        seed = derive_seed(params.seed, decoder)

        def fitting(feature, decoder=decoder, seed=seed):
            model, grid = make_decoder(decoder, seed, feature)
            return tuned_fit(model, grid, names.split, params.inner_folds, seed)

        predictions, metrics = decode(features, trials, split, fitting, params.resamples, seed)
        write_decoding(paths, predictions, metrics, **names, decoder=decoder)
