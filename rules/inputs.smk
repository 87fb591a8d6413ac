# What rules are given: functions of wildcards that return inputs and parameters, and what `all` makes.


def checked(path):
    """An input function that checks the target and fills in what `names_in_paths` knows."""

    def inputs(wildcards):
        check_target(wildcards)
        return path.format(**{**wildcards, **names_in_paths(wildcards.bird)})

    return inputs


def own_recording(wildcards):
    """The NWB file of a bird under `recordings`; raw data, so its date reruns nothing."""
    path = config["recordings"][wildcards.bird]["file"]
    if not Path(path).exists():
        stop(
            f"{path}, the file of {wildcards.bird} under `recordings`, does not exist; correct it."
        )
    return ancient(path)


def folds_for_surrogate(wildcards):
    """The folds that 'independent' keeps trials within, blocked ones where the bird has them."""
    name = named(wildcards.bird)
    if (name.surrogate or config["null_band"]["surrogate"]) != "independent":
        return []
    splits = of_bird("splits")(wildcards)
    split = "blocked" if "blocked" in splits else splits[0]
    return f"results/splits/{name.parent}/{split}.csv"


@cache
def surrogate_seed(parent, kind, number):
    return configuration.derive_seed(
        config["seed"], "surrogate", f"{parent}~{kind}~{number}"
    )


def seeds_of(bird, kind, replicates):
    """The seeds of surrogates in a loop: those of the single surrogate birds."""
    parent = named(bird).parent
    return [surrogate_seed(parent, kind, n) for n in range(1, replicates + 1)]


def shifted_seeds(replicates):
    """A function of wildcards: the seeds of shifted surrogates in a loop, of which those have none."""

    def seeds(wildcards):
        if is_surrogate(wildcards.bird):
            return []
        return seeds_of(wildcards.bird, "shifted", replicates)

    return seeds


def seeds_of_null(wildcards):
    return seeds_of(
        wildcards.bird,
        config["null_band"]["surrogate"],
        of_bird("replicates")(wildcards),
    )


def trial_settings(wildcards):
    return {key: of_bird(key)(wildcards) for key in ("bout_gap", "labels", "folds")}


def given_song(wildcards):
    """The sound and annotations that a bird is simulated to, where it does not sing its own song."""
    entry = config["simulated"][wildcards.bird]
    return ancient([entry[key] for key in ("audio", "annotations") if entry.get(key)])


def of_real_bird(path):
    """Like `checked`, for what surrogates cannot have."""

    def inputs(wildcards):
        check_target(wildcards)
        if is_surrogate(wildcards.bird):
            name = wildcards.bird.partition("~")[0]
            stop(
                f"null bands, oracles and inclusion are of birds, not of surrogates: ask for {name}."
            )
        return path.format(**{**wildcards, **names_in_paths(wildcards.bird)})

    return inputs


def of_parent(path, what):
    """Like `checked`, for what a bird shares with its surrogates and selections, as in `what`."""

    def inputs(wildcards):
        check_target(wildcards)
        name = named(wildcards.bird).parent
        if name != wildcards.bird:
            stop(f"{wildcards.bird} has no {what} of its own: ask for {name}.")
        return path.format(**wildcards)

    return inputs


def without_selection(path):
    """Like `checked`, for what does not depend on which units count."""

    def inputs(wildcards):
        check_target(wildcards)
        names = names_in_paths(wildcards.bird)
        if names["whole"] != wildcards.bird:
            stop(
                f"{wildcards.bird} is some of the units of {names['whole']} and has its recording "
                f"and trials: ask for {names['whole']}."
            )
        return path.format(**{**wildcards, **names})

    return inputs


def truth_of_bird(wildcards):
    of_real_bird("{bird}")(wildcards)
    name = named(wildcards.bird).parent
    if name not in config["simulated"]:
        stop(
            f"{name} is no simulated bird, and only of those is the truth known; it has no oracle."
        )
    return f"results/truth/{name}.h5"


def simulated_bird(wildcards):
    """No file, but a sentence where the target is no simulated bird itself."""
    of_parent("results/shap_truth/{bird}.png", "planted pairs")(wildcards)
    if wildcards.bird not in config["simulated"]:
        stop(
            f"{wildcards.bird} is no simulated bird, and only in those can pairs be planted; "
            f"ask for {config['recovery']['bird']}."
        )
    return []


def tensors_of(features):
    """An input function for the tensors that features are made from."""

    def inputs(wildcards):
        check_target(wildcards)
        windows = {configuration.window_of(feature) for feature in features}
        # Of thousands of jobs, `expand` takes longer than all else here.
        folder = f"results/tensors/{wildcards.bird}"
        return [f"{folder}/{window}.h5" for window in sorted(windows)]

    return inputs


def decodings(file, names):
    """An input function for one file of each of these decoders under each of the bird's splits."""

    def inputs(wildcards):
        check_target(wildcards)
        return [
            f"results/decoding/{wildcards.bird}/{split}/{decoder}/{file}"
            for split in of_bird("splits")(wildcards)
            for decoder in names
        ]

    return inputs


def settings_of_bird(wildcards):
    """All that the methods paragraph says of how a bird was decoded."""
    keys = [
        "splits",
        "folds",
        "inner_folds",
        "guard",
        "bout_gap",
        "windows",
        "features",
        "decoders",
    ]
    keys += ["null_band", "replicates", "bootstrap", "networks", "training"]
    keys += ["grid", "tokens", "sequences"]
    own = setting(wildcards.bird, "networks")["decoders"]
    return {key: of_bird(key)(wildcards) for key in [*keys, *own]}


def splits_of_bird(wildcards):
    return expand(
        "results/splits/{bird}/{split}.csv",
        bird=named(wildcards.bird).parent,
        split=of_bird("splits")(wildcards),
    )


def nulls_of_bird(wildcards):
    """Null bands; a surrogate has none, since surrogates of surrogates are not made."""
    if is_surrogate(wildcards.bird):
        return []
    return [
        *expand(
            "results/null/{bird}/{split}.csv",
            bird=wildcards.bird,
            split=of_bird("splits")(wildcards),
        ),
        *networks_of("results/null_networks/{bird}/{decoder}/{split}.csv")(wildcards),
    ]


def predecessors_of_bird(wildcards):
    """The control for the song's order, of birds that have a null and the split of curves."""
    splits = of_bird("splits")(wildcards)
    if is_surrogate(wildcards.bird) or config["curves"]["split"] not in splits:
        return []
    return f"results/predecessors/{wildcards.bird}.csv"


def oracle_of_bird(wildcards):
    """The oracle's predictions, which only a simulated bird itself has."""
    if (
        is_surrogate(wildcards.bird)
        or named(wildcards.bird).parent not in config["simulated"]
    ):
        return []
    return f"results/oracle/{wildcards.bird}/predictions.csv"


def curve_inputs(wildcards):
    """What every curve is made from: recording, inclusion, trials, split."""
    check_target(wildcards)
    split = config["curves"]["split"]
    check(f"split of {wildcards.bird}", split, of_bird("splits")(wildcards))
    names = names_in_paths(wildcards.bird)
    return {
        "recording": f"results/recordings/{names['whole']}.nwb",
        "inclusion": f"results/inclusion/{names['real']}.csv",
        "trials": f"results/trials/{names['whole']}.csv",
        "split": f"results/splits/{names['parent']}/{split}.csv",
    }


# Data sets whose converters give neither sound nor a spectrogram.
SILENT = ["leblois2019"]


def has_sound(bird):
    """Whether the bird's entry leaves room for sound; what a file holds is seen when it is read."""
    name = named(bird).parent
    if name in config["simulated"]:
        entry = config["simulated"][name]
        return bool(entry.get("audio")) or entry.get("audio_rate") != 0
    return config["public"].get(name, {}).get("converter") not in SILENT


def states_sound(bird):
    """Whether `all` may count on sound: a recording's entry has to name it, others have some or not."""
    entry = config["recordings"].get(named(bird).parent)
    return "audio" in entry if entry is not None else has_sound(bird)


def check_sound(bird):
    """Stop in a sentence where the bird's entry rules sound out."""
    if not has_sound(bird):
        stop(
            f"{named(bird).parent} has no sound, so there is nothing to compare its activity with; "
            f"ask for a figure that needs none (results/comparison/{bird}.png)."
        )


def sound_inputs(wildcards):
    """What sound and activity are compared from: those of curves, and frames of the sound."""
    inputs = curve_inputs(wildcards)
    check_sound(wildcards.bird)
    return {**inputs, "frames": f"results/frames/{named(wildcards.bird).parent}.h5"}


def explained_null(wildcards):
    """The bird whose surrogates a surrogate is seen beside; a bird makes its own."""
    if not is_surrogate(wildcards.bird):
        return []
    return f"results/shap/{names_in_paths(wildcards.bird)['real']}.h5"


def own_shift(wildcards):
    """The number of a shifted surrogate, which is not to be seen beside itself; 0 for others."""
    name = named(wildcards.bird)
    return name.replicate if name.surrogate == "shifted" else 0


def independent_seeds(wildcards):
    return seeds_of(
        wildcards.bird, "independent", config["explanations"]["independent"]
    )


def protocol(rule_name, replicates=config["curves"]["replicates"], explained=False):
    """A function of wildcards that returns the fields of `neuro2voc.curves.Protocol`.

    replicates: number of shifted surrogates. explained: with the feature that SHAP values are of,
    and the parent's seed, since surrogates in a loop are explained with that.
    """

    def fields(wildcards):
        curves = config["curves"]
        feature = of_bird("explained")(wildcards) if explained else curves["feature"]
        return {
            "decoder": curves["decoder"],
            "split": curves["split"],
            "feature": feature,
            "inner_folds": config["inner_folds"],
            "resamples": config["bootstrap"],
            "seed": seed_for(rule_name, explained)(wildcards),
            "null_seeds": tuple(shifted_seeds(replicates)(wildcards)),
            "trials": trial_settings(wildcards),
        }

    return fields


# What `all` makes of a bird, by the groups under `figures`; importances, clusters and others of other
# features on demand.
FIGURES = {
    "song": [
        "results/syllables/{bird}.png",
        "results/spectrograms/{bird}.png",
        "results/bout/{bird}.png",
        "results/trial/{bird}.png",
        "results/artefacts/{bird}.png",
    ],
    "decoding": [
        "results/comparison/{bird}.png",
        "results/confusion/{bird}/{split}/{decoder}/{feature}.png",
        "results/predecessors/{bird}.png",
        "results/sessions/{bird}.png",
        "results/growing_windows/{bird}.png",
        "results/moving_windows/{bird}.png",
        "results/lag/{bird}.png",
        "results/learning_curves/{bird}/{feature}.png",
        "results/clusters/{bird}/count.png",
        "results/methods/{bird}.txt",
    ],
    "units": [
        "results/units/{bird}.png",
        "results/rates/{bird}.png",
        "results/densities/{bird}.png",
        "results/single_units/{bird}.png",
        "results/importances/{bird}/count.png",
        "results/neuron_number/{bird}.png",
        "results/regions/{bird}.png",
    ],
    "shap": [
        "results/shap/{bird}.png",
        "results/shap_syllables/{bird}.png",
        "results/shap_beeswarms/{bird}.png",
        "results/shap_time/{bird}.png",
        "results/shap_interactions/{bird}.png",
        "results/hubs/{bird}.png",
        "results/unit_correlations/{bird}.png",
        "results/explainers/{bird}.png",
    ],
    "networks": [
        "results/token_schemes/{bird}.png",
        "results/token_patterns/{bird}.png",
    ],
    "contexts": [],
    "voice": [
        "results/voice/{bird}.png",
        "results/voice/{bird}/listen.html",
        "results/voice_measures/{bird}.png",
        "results/warping/{bird}.png",
        "results/canonical/{bird}.png",
    ],
    "latents": [
        "results/codec/{bird}.png",
        "results/neural_vae/{bird}.png",
        "results/voice_to_neurons/{bird}.png",
        "results/latents/{bird}.png",
    ],
    "embedding": [
        "results/embedding/{bird}.png",
        "results/embedding_losses/{bird}.png",
    ],
}

# Those of a bird's networks under each split, and the networks that they are of.
NETWORK_FIGURES = {
    "losses": (*configuration.NETWORKS, *configuration.SEQUENCES),
    "grid": configuration.NETWORKS,
}


OF_SOUND = ("voice", "latents")


def figures_under(bird):
    """The groups of figures that `all` makes of a bird, but for those of sound where there is none."""
    groups = setting(bird, "figures")
    return [group for group in groups if states_sound(bird) or group not in OF_SOUND]


def network_figures(bird):
    """Figures of a bird's networks, under each split that has them."""
    own, found = setting(bird, "networks")["decoders"], []
    for split in network_splits(bird):
        found += [
            f"results/{figure}/{bird}/{split}.png"
            for figure, kinds in NETWORK_FIGURES.items()
            if set(kinds) & set(own)
        ]
        found += [
            f"results/network_attribution/{bird}/{split}/{name}.png"
            for name in own
            if name == config["networks"]["attributed"]
        ]
    return found


def context_figures(bird):
    """What networks on tokens gain from longer windows and from pretraining."""
    if config["curves"]["split"] not in network_splits(bird):
        return []
    own = set(setting(bird, "networks")["decoders"])
    return [
        f"results/{figure}/{bird}.png"
        for figure, kinds in (
            ("contexts", config["contexts"]["decoders"]),
            ("pretraining", [config["pretraining"]["decoder"]]),
        )
        if set(kinds) & own
    ]


def all_figures():
    """Every figure of every bird, with the cell under `confusion`, and those of all birds."""
    of_birds = []
    for bird in config["birds"]:
        groups = figures_under(bird)
        of_birds += [
            figure.format(bird=bird, **config["confusion"])
            for group in groups
            for figure in FIGURES[group]
        ]
        of_birds += network_figures(bird) if "networks" in groups else []
        of_birds += context_figures(bird) if "contexts" in groups else []
        of_birds += embedding_figures(bird) if "embedding" in groups else []
    of_birds.append(f"results/shap_truth/{config['recovery']['bird']}.png")
    if len(config["birds"]) > 1:
        of_birds.append("results/many_birds.png")
    if len(config["across"]["birds"]) > 1:
        of_birds.append("results/across_birds.png")
    return of_birds


def asked_figure(wildcards):
    """The picture that `whence` is asked about; its absolute path, so that no rule makes it first."""
    figure = config["figure"]
    if not figure:
        stop(
            "results/whence.txt says what made a picture; name one: "
            "--config figure=/path/to/picture.png"
        )
    path = Path(figure).expanduser().absolute()
    if not path.is_file():
        stop(f"{figure}, given as `figure`, does not exist or is no file; correct it.")
    return str(path)
