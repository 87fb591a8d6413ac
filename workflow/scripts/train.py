from neuro2voc.binning import make_window, read_tensor
from neuro2voc.checkpoints import remove_checkpoints
from neuro2voc.decoding import write_decoding
from neuro2voc.files import write_csv
from neuro2voc.jobs import job
from neuro2voc.network_decoder import write_networks
from neuro2voc.network_fit import decode_by_networks, grid_table
from neuro2voc.network_training import about_network, network_settings
from neuro2voc.splits import read_split
from neuro2voc.trials import read_trials, used_trials

with job(snakemake):
    files, params, names = snakemake.input, snakemake.params, snakemake.wildcards
    predictions, metrics, decoders, losses = decode_by_networks(
        list(map(read_tensor, files.tensors)),
        params.features,
        used_trials(read_trials(files.trials)),
        read_split(files.split),
        network_settings(names.decoder, names.split, params),
        *(params.resamples, params.grid),
    )
    windows = {name: make_window(name, params.windows) for name in params.features}
    write_networks(snakemake.output.model, decoders, about_network(names, params))
    write_csv(losses, snakemake.output.losses)
    write_csv(grid_table(metrics, params.grid, windows), snakemake.output.grid)
    write_decoding(tuple(snakemake.output)[:2], predictions, metrics, **names)
    remove_checkpoints(params.checkpoints)
