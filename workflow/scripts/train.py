from neuro2voc.binning import read_tensor
from neuro2voc.checkpoints import remove_checkpoints
from neuro2voc.decoding import write_decoding
from neuro2voc.files import write_csv
from neuro2voc.jobs import job
from neuro2voc.network_decoder import write_networks
from neuro2voc.network_fit import decode_by_networks, network_settings
from neuro2voc.splits import read_split
from neuro2voc.training import choose_device
from neuro2voc.trials import read_trials, used_trials

with job(snakemake):
    files, params, names = snakemake.input, snakemake.params, snakemake.wildcards
    predictions, metrics, decoders, losses = decode_by_networks(
        list(map(read_tensor, files.tensors)),
        params.features,
        used_trials(read_trials(files.trials)),
        read_split(files.split),
        network_settings(names.decoder, names.split, params.sizes, params),
        params.resamples,
    )
    device = choose_device(params.training["device"]).type
    about = {**names, "sizes": params.sizes, "windows": params.windows, "device": device}
    write_networks(snakemake.output.model, decoders, about)
    write_csv(losses, snakemake.output.losses)
    write_decoding(tuple(snakemake.output)[:2], predictions, metrics, **names)
    remove_checkpoints(params.checkpoints)
