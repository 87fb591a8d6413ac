# What rules of generated song are given: functions of wildcards, as in inputs.smk.


def song_files(bird, split):
    """What every generator of song learns from; a surrogate has its parent's song and folds."""
    names = names_in_paths(bird)
    return {
        "recording": f"results/recordings/{names['whole']}.nwb",
        "inclusion": f"results/inclusion/{names['real']}.csv",
        "frames": f"results/frames/{names['parent']}.h5",
        "trials": f"results/trials/{names['parent']}.csv",
        "split": f"results/splits/{names['parent']}/{split}.csv",
    }


def song_inputs(wildcards):
    check_target(wildcards)
    check_sound(wildcards.bird)
    return song_files(wildcards.bird, wildcards.split)


def around_of(wildcards):
    """The stretch of activity that a frame of song is made from."""
    return setting(wildcards.bird, "voice")["activity"]


def audio_codec_files(wildcards):
    """The files of an audio codec, where one is named."""
    folder = config["voice"]["audio_codec"]
    names = ("config.json", "model.safetensors")
    return [str(Path(folder).expanduser() / name) for name in names] if folder else []


def vaes_under(bird, split):
    """The bird's networks under a split."""
    voice = config["voice"]
    return voice["vaes"] if split in voice["vae_splits"] else []


def songs_of(bird, split):
    """The files of all that is generated under a split."""
    vaes = vaes_under(bird, split)
    both = ["latents"] if vaes and "latents" in setting(bird, "figures") else []
    names = ["plain", *vaes, *both]
    return [f"results/generated/{bird}/{split}/{name}.h5" for name in names]


def null_splits(bird):
    """The splits under which song is generated from surrogates, which have none themselves."""
    own = [] if is_surrogate(bird) else setting(bird, "splits")
    return [split for split in own if split in config["voice"]["null_splits"]]


def null_song_inputs(wildcards):
    of_real_bird("{bird}")(wildcards)
    check("split with a null of song", wildcards.split, null_splits(wildcards.bird))
    models = [
        f"results/models/{wildcards.bird}/{wildcards.split}/{name}.safetensors"
        for name in vaes_under(wildcards.bird, wildcards.split)
    ]
    return {
        **song_inputs(wildcards),
        "kept": folds_for_surrogate(wildcards),
        "chosen": f"results/generated/{wildcards.bird}/{wildcards.split}/plain.json",
        "models": models,
    }


def seeds_of_null_song(wildcards):
    most = max(config["voice"]["surrogates"].values(), default=0)
    return seeds_of(wildcards.bird, config["null_band"]["surrogate"], most)


def truth_of_song(wildcards):
    """The truth of a simulated bird or of its surrogate, whose song is the same."""
    name = named(wildcards.bird).parent
    return f"results/truth/{name}.h5" if name in config["simulated"] else []


def measured_song_inputs(wildcards):
    check_target(wildcards)
    check_sound(wildcards.bird)
    bird, names = wildcards.bird, names_in_paths(wildcards.bird)
    splits = setting(bird, "splits")
    return {
        "recording": f"results/recordings/{names['whole']}.nwb",
        "inclusion": f"results/inclusion/{names['real']}.csv",
        "frames": f"results/frames/{names['parent']}.h5",
        "trials": f"results/trials/{names['parent']}.csv",
        "truth": truth_of_song(wildcards),
        "splits": [f"results/splits/{names['parent']}/{split}.csv" for split in splits],
        "songs": [file for split in splits for file in songs_of(bird, split)],
        "latents": [
            f"results/generated/{bird}/{split}/{name}_latents.csv"
            for split in splits
            for name in vaes_under(bird, split)
        ],
        "nulls": [
            f"results/null_voice/{bird}/{split}.csv" for split in null_splits(bird)
        ],
    }


def voice_split(wildcards):
    """The split whose held-out song is shown: the first of the bird's that VAEs learn under."""
    own, those = setting(wildcards.bird, "splits"), config["voice"]["vae_splits"]
    return next((split for split in own if split in those), own[0])


def shown_song(wildcards):
    """What is shown beside the original, where it is generated under that split."""
    shown = config["voice"]["shown"]
    made = vaes_under(wildcards.bird, voice_split(wildcards))
    made = [*made, *config["voice"]["generators"]]
    check("generated song", shown, made)
    return shown


def shown_song_inputs(wildcards):
    check_target(wildcards)
    check_sound(wildcards.bird)
    bird, split = wildcards.bird, voice_split(wildcards)
    shown = shown_song(wildcards)
    name = shown if shown in config["vaes"] else "plain"
    files = song_files(bird, split)
    files["song"] = f"results/generated/{bird}/{split}/{name}.h5"
    files["latents"] = (
        [f"results/generated/{bird}/{split}/{name}_latents.csv"]
        if shown in config["vaes"]
        else []
    )
    files["null"] = [
        f"results/null_voice/{bird}/{one}.h5"
        for one in null_splits(bird)
        if one == split and config["voice"]["surrogates"].get(shown)
    ]
    return files


def voice_inputs(wildcards):
    """What the figure shows, and the song of the baseline that its headline names."""
    folder = f"results/generated/{wildcards.bird}/{voice_split(wildcards)}"
    return {**shown_song_inputs(wildcards), "plain": f"{folder}/plain.h5"}
