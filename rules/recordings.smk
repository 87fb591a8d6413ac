# Whatever the source, a bird becomes results/recordings/{bird}.nwb, and nothing downstream asks where
# it came from.


rule simulate:
    input:
        song=given_song,
    output:
        recording="results/recordings/{bird}.nwb",
        truth="results/truth/{bird}.h5",
    log:
        "logs/simulate/{bird}.log",
    wildcard_constraints:
        bird=only(config["simulated"]),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
    params:
        settings=lambda wildcards: config["simulated"][wildcards.bird],
        seed=seed_for("simulate"),
        code=code("simulate"),
    script:
        "../workflow/scripts/simulate.py"


rule import_recording:
    input:
        recording=own_recording,
    output:
        recording="results/recordings/{bird}.nwb",
    log:
        "logs/import_recording/{bird}.log",
    wildcard_constraints:
        bird=only(config["recordings"]),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
    params:
        entry=lambda wildcards: config["recordings"][wildcards.bird],
        code=code("import_recording"),
    script:
        "../workflow/scripts/import_recording.py"


# Runs where Snakemake does: nodes of a cluster often reach no network.
rule download:
    output:
        file="data/public/{bird}/{file}",
    log:
        "logs/download/{bird}/{file}.log",
    wildcard_constraints:
        bird=only(config["public"]),
        file=only(
            {name for entry in config["public"].values() for name in entry["files"]}
        ),
    localrule: True
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(500),
    params:
        source=lambda wildcards: config["public"][wildcards.bird]["files"][
            wildcards.file
        ],
        about=lambda wildcards: config["public"][wildcards.bird],
        mirror=config["mirror"],
        code=code("download"),
    script:
        "../workflow/scripts/download.py"


rule convert:
    input:
        files=lambda wildcards: expand(
            "data/public/{bird}/{file}",
            bird=wildcards.bird,
            file=config["public"][wildcards.bird]["files"],
        ),
    output:
        recording="results/recordings/{bird}.nwb",
    log:
        "logs/convert/{bird}.log",
    wildcard_constraints:
        bird=only(config["public"]),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
    params:
        entry=lambda wildcards: config["public"][wildcards.bird],
        code=code("convert"),
    script:
        "../workflow/scripts/convert.py"


# A control is just another bird: bird1~shifted3 is the third shifted surrogate of bird1. Names that no
# other rule knows end here too, in a sentence.
rule surrogate:
    input:
        recording=without_selection("results/recordings/{parent}.nwb"),
        trials=checked("results/trials/{parent}.csv"),
        split=folds_for_surrogate,
    output:
        recording="results/recordings/{bird}.nwb",
    log:
        "logs/surrogate/{bird}.log",
    wildcard_constraints:
        bird=none_of(configuration.bird_names(config), r"\.nwb"),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
    params:
        kind=lambda wildcards: named(wildcards.bird)[2:],
        seed=seed_for("surrogate"),
        code=code("surrogate"),
    script:
        "../workflow/scripts/surrogate.py"
