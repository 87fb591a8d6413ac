# Neurons to sound.


# A spectrogram of every bout. A surrogate has its parent's sound.
rule frames:
    input:
        recording=of_parent("results/recordings/{bird}.nwb", "frames of sound"),
        trials="results/trials/{bird}.csv",
    output:
        frames="results/frames/{bird}.h5",
    log:
        "logs/frames/{bird}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
    params:
        settings=config["spectrogram"],
        code=code("frames"),
    script:
        "../workflow/scripts/frames.py"


# What networks have to beat, one job for all of it.
rule generate:
    input:
        unpack(song_inputs),
        codec=audio_codec_files,
    output:
        song="results/generated/{bird}/{split}/plain.h5",
        chosen="results/generated/{bird}/{split}/plain.json",
    log:
        "logs/generate/{bird}/{split}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
    params:
        generators=config["voice"]["generators"],
        audio_codec=config["voice"]["audio_codec"],
        around=around_of,
        seed=seed_for("generate"),
        code=code("generate"),
    script:
        "../workflow/scripts/generate.py"


# Autoencoders of the voice and encoders of activity, for every fold, and the song that they make.
rule train_voice:
    input:
        unpack(song_inputs),
    output:
        song="results/generated/{bird}/{split}/{vae}.h5",
        model="results/models/{bird}/{split}/{vae}.safetensors",
        about="results/models/{bird}/{split}/{vae}.json",
        losses="results/losses/{bird}/{split}/{vae}.csv",
        latents="results/generated/{bird}/{split}/{vae}_latents.csv",
    log:
        "logs/train_voice/{bird}/{split}/{vae}.log",
    benchmark:
        "results/benchmarks/train_voice/{bird}/{split}/{vae}.tsv"
    wildcard_constraints:
        vae=only(config["vaes"]),
    # The longest jobs first, so that no core waits for them at the end.
    priority: 1
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        gpu=1,
    params:
        vae=lambda wildcards: config["vaes"][wildcards.vae],
        around=around_of,
        training=config["training"],
        # Outside the results: Snakemake removes what a failed job wrote there.
        checkpoints="checkpoints/train_voice/{bird}/{split}/{vae}",
        seed=seed_for("train_voice"),
        code=code("train_voice"),
    script:
        "../workflow/scripts/train_voice.py"


# Song generated from surrogates, in one job.
rule null_voice:
    input:
        unpack(null_song_inputs),
    output:
        null="results/null_voice/{bird}/{split}.csv",
        song="results/null_voice/{bird}/{split}.h5",
    log:
        "logs/null_voice/{bird}/{split}.log",
    benchmark:
        "results/benchmarks/null_voice/{bird}/{split}.tsv"
    priority: 1
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        gpu=1,
    params:
        kind=config["null_band"]["surrogate"],
        seeds=seeds_of_null_song,
        surrogates=config["voice"]["surrogates"],
        vaes=config["vaes"],
        around=around_of,
        training=config["training"],
        checkpoints="checkpoints/null_voice/{bird}/{split}",
        seed=seed_for("null_voice"),
        code=code("null_voice"),
    script:
        "../workflow/scripts/null_voice.py"


# How close all that was generated comes, beside references and nulls.
rule voice_measures:
    input:
        unpack(measured_song_inputs),
    output:
        figure=report(
            "results/voice_measures/{bird}.png",
            caption="../workflow/report/voice_measures.rst",
            category="{bird}",
            labels={"figure": "39 generated song in numbers"},
        ),
        pdf="results/voice_measures/{bird}.pdf",
        table="results/voice_measures/{bird}.csv",
        each="results/voice_measures/{bird}_each.csv",
        types="results/voice_measures/{bird}_types.csv",
    log:
        "logs/voice_measures/{bird}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
    params:
        splits=of_bird("splits"),
        surrogate=config["null_band"]["surrogate"],
        resamples=config["bootstrap"],
        seed=seed_for("voice_measures"),
        code=code("voice_measures"),
    script:
        "../workflow/scripts/voice_measures.py"


# Held-out song as it was sung and as it was generated.
rule voice:
    input:
        unpack(voice_inputs),
    output:
        figure=report(
            "results/voice/{bird}.png",
            caption="../workflow/report/voice.rst",
            category="{bird}",
            labels={"figure": "38 generated song"},
        ),
        pdf="results/voice/{bird}.pdf",
        table="results/voice/{bird}.csv",
    log:
        "logs/voice/{bird}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
    params:
        split=voice_split,
        shown=shown_song,
        surrogate=config["null_band"]["surrogate"],
        # Those of voice_measures, so that both figures have the same intervals.
        resamples=config["bootstrap"],
        seed=seed_for("voice_measures"),
        code=code("voice"),
    script:
        "../workflow/scripts/voice.py"


# The same to listen to.
rule listen:
    input:
        unpack(shown_song_inputs),
    output:
        page="results/voice/{bird}/listen.html",
        original="results/voice/{bird}/original.wav",
        generated="results/voice/{bird}/generated.wav",
    log:
        "logs/listen/{bird}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
    params:
        split=voice_split,
        shown=shown_song,
        surrogate=config["null_band"]["surrogate"],
        seed=seed_for("listen"),
        code=code("listen"),
    script:
        "../workflow/scripts/listen.py"
