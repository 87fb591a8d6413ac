# Renditions warped in time, and what activity and sound of the same renditions have in common.

# Data sets whose converters give neither sound nor a spectrogram.
SILENT = ["leblois2019"]


def has_sound(bird):
    """Whether the bird's entry leaves room for sound; what a file holds is seen when it is read."""
    name = named(bird).parent
    if name in config["simulated"]:
        entry = config["simulated"][name]
        return bool(entry.get("audio")) or entry.get("audio_rate") != 0
    return config["public"].get(name, {}).get("converter") not in SILENT


def sound_inputs(wildcards):
    """What sound and activity are compared from: those of curves, and frames of the sound."""
    inputs = curve_inputs(wildcards)
    name = named(wildcards.bird).parent
    if not has_sound(name):
        stop(
            f"{name} has no sound, so there is nothing to compare its activity with; ask for a "
            f"figure that needs none (results/comparison/{wildcards.bird}.png)."
        )
    return {**inputs, "frames": f"results/frames/{name}.h5"}


rule warping:
    input:
        unpack(sound_inputs),
    output:
        figure=report(
            "results/warping/{bird}.png",
            caption="../workflow/report/warping.rst",
            category="{bird}",
            labels={"figure": "23 time warping"},
        ),
        pdf="results/warping/{bird}.pdf",
        table="results/warping/{bird}.csv",
    log:
        "logs/warping/{bird}.log",
    benchmark:
        "results/benchmarks/warping/{bird}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(3000),
    params:
        protocol=protocol("warping"),
        warping=config["warping"],
        code=code("warping"),
    script:
        "../workflow/scripts/warping.py"


rule canonical:
    input:
        unpack(sound_inputs),
    output:
        figure=report(
            "results/canonical/{bird}.png",
            caption="../workflow/report/canonical.rst",
            category="{bird}",
            labels={"figure": "24 canonical correlation"},
        ),
        pdf="results/canonical/{bird}.pdf",
        table="results/canonical/{bird}.csv",
    log:
        "logs/canonical/{bird}.log",
    benchmark:
        "results/benchmarks/canonical/{bird}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(3000),
    params:
        protocol=protocol("canonical"),
        warping=config["warping"],
        canonical=config["canonical"],
        code=code("canonical"),
    script:
        "../workflow/scripts/canonical.py"
