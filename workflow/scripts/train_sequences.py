from pathlib import Path

from neuro2voc.checkpoints import remove_checkpoints
from neuro2voc.decoding import write_decoding
from neuro2voc.files import write_csv
from neuro2voc.jobs import job
from neuro2voc.network_training import about_network
from neuro2voc.sequence_decoder import write_sequences
from neuro2voc.sequence_fit import decode_by_sequences, reading_settings, sequence_settings
from neuro2voc.splits import read_split
from neuro2voc.tokens import read_corpus
from neuro2voc.trials import read_trials, used_trials

with job(snakemake):
    files, params, names = snakemake.input, snakemake.params, snakemake.wildcards
    settings = sequence_settings(names.decoder, names.split, params)
    predictions, metrics, decoders, losses = decode_by_sequences(
        {Path(path).stem: read_corpus(path) for path in files.corpora},
        used_trials(read_trials(files.trials)),
        read_split(files.split),
        *(settings, reading_settings(params.reading), params.resamples),
    )
    about = {**about_network(names, params), "sizes": settings.sizes}
    write_sequences(snakemake.output.model, decoders, about)
    write_csv(losses, snakemake.output.losses)
    write_decoding(tuple(snakemake.output)[:2], predictions, metrics, **names)
    remove_checkpoints(params.checkpoints)
