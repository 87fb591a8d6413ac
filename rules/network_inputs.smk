# What rules of networks are given: functions of wildcards, as in inputs.smk.

from types import SimpleNamespace


def seeds_of_network_null(wildcards):
    kind, replicates = (
        config["null_band"]["surrogate"],
        config["networks"]["replicates"],
    )
    return seeds_of(wildcards.bird, kind, replicates)


def network_splits(bird):
    """The bird's splits under which networks decode."""
    splits = setting(bird, "splits")
    return [split for split in splits if split in config["networks"]["splits"]]


def networks_of(path, kinds=(*configuration.NETWORKS, *configuration.SEQUENCES)):
    """An input function for a file of each of the bird's networks of these kinds, per split."""

    def inputs(wildcards):
        check_target(wildcards)
        splits = network_splits(wildcards.bird)
        return expand(
            path,
            bird=wildcards.bird,
            split=wildcards.get("split", splits),
            decoder=[
                name
                for name in setting(wildcards.bird, "networks")["decoders"]
                if name in kinds
            ],
        )

    return inputs


def some_networks_of(path, kinds=(*configuration.NETWORKS, *configuration.SEQUENCES)):
    """Like `networks_of`, for what cannot be made without any."""

    def inputs(wildcards):
        check_target(wildcards)
        check(
            "split with networks",
            wildcards.split,
            setting(wildcards.bird, "networks")["splits"],
        )
        files = networks_of(path, kinds)(wildcards)
        if not files:
            stop(
                f"{wildcards.bird} is decoded by none of {', '.join(kinds)}; name one under "
                "`networks: decoders`."
            )
        return files

    return inputs


def nulls_of_networks_on_bins(wildcards):
    """Their null bands, which a surrogate has none of."""
    if is_surrogate(wildcards.bird):
        return []
    path = "results/null_networks/{bird}/{decoder}/{split}.csv"
    return networks_of(path, configuration.NETWORKS)(wildcards)


def training_of(wildcards):
    """How a network is trained: its own settings before those of all."""
    return {**config["training"], **config[wildcards.decoder].get("training", {})}


def trainings_of(wildcards):
    """How each of the bird's networks is trained."""
    names = setting(wildcards.bird, "networks")["decoders"]
    return {
        name: {**config["training"], **config[name].get("training", {})}
        for name in names
    }


def checkpoint_files(name):
    """The files of somebody's weights that a network begins with, where they lie in a folder."""
    folder = Path(config[name].get("checkpoint", "") or "?").expanduser()
    files = folder / "config.json", folder / "model.safetensors"
    return [str(file) for file in files if file.is_file()]


def own_checkpoint(wildcards):
    return checkpoint_files(wildcards.decoder)


def sizes_of(wildcards):
    return {k: v for k, v in config[wildcards.decoder].items() if k != "training"}


def context_inputs(wildcards):
    """What curves are made from, weights of others, and the truth where the bird has an oracle."""
    has_oracle = oracle_of_bird(wildcards)
    return {
        **curve_inputs(wildcards),
        "truth": truth_of_bird(wildcards) if has_oracle else [],
        "checkpoint": [
            file
            for name in context_networks(wildcards)
            for file in checkpoint_files(name)
        ],
    }


def context_networks(wildcards):
    """Sizes and training of those of the bird's networks that are drawn, by name."""
    own = setting(wildcards.bird, "networks")["decoders"]
    return {
        name: {
            "sizes": {k: v for k, v in config[name].items() if k != "training"},
            # One network per fold: there are many lengths.
            "training": {
                **config["training"],
                **config[name].get("training", {}),
                "members": 1,
            },
        }
        for name in config["contexts"]["decoders"]
        if name in own
    }


def pretrain_inputs(wildcards):
    """The whole recording of a bird, of which no syllable is looked at, and weights of others."""
    check_bird(wildcards.bird)
    names = names_in_paths(wildcards.bird)
    return {
        "recording": f"results/recordings/{names['whole']}.nwb",
        "inclusion": f"results/inclusion/{names['real']}.csv",
        "checkpoint": own_checkpoint(wildcards),
    }


def pretraining_inputs(wildcards):
    """What curves are made from, and weights: of others, of the first source that is another bird."""
    others = [
        source
        for source in config["pretraining"]["sources"]
        if source != named(wildcards.bird).parent
    ]
    weights = "results/pretrained/{}/{}".format(
        "".join(others[:1]), config["pretraining"]["decoder"]
    )
    return {
        **curve_inputs(wildcards),
        "pretrained": f"{weights}.safetensors" if others else [],
        "about": f"{weights}.json" if others else [],
        "checkpoint": checkpoint_files(config["pretraining"]["decoder"]),
    }


def of_pretrained(function):
    """Sizes or training, by their function, of the network that is drawn."""
    network = SimpleNamespace(decoder=config["pretraining"]["decoder"])
    return lambda wildcards: function(network)
