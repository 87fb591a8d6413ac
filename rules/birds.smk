# Birds beside each other, and what can be quoted.


# One dot per bird of `birds`, from each bird's own comparison.
rule many_birds:
    input:
        tables=expand("results/comparison/{bird}.csv", bird=config["birds"]),
        recordings=expand("results/recordings/{bird}.nwb", bird=config["birds"]),
    output:
        figure=report(
            "results/many_birds.png",
            caption="../workflow/report/many_birds.rst",
            category="all birds",
            labels={"figure": "52 one dot per bird"},
        ),
        pdf="results/many_birds.pdf",
        table="results/many_birds.csv",
    log:
        "logs/many_birds.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
    params:
        split=config["curves"]["split"],
        code=code("many_birds"),
    script:
        "../workflow/scripts/many_birds.py"


rule across_birds:
    input:
        tensors=expand(
            "results/tensors/{bird}/{window}.h5",
            bird=config["across"]["birds"],
            window=configuration.window_of(config["curves"]["feature"]),
        ),
        trials=expand("results/trials/{bird}.csv", bird=config["across"]["birds"]),
        splits=expand(
            "results/splits/{bird}/{split}.csv",
            bird=config["across"]["birds"],
            split=config["curves"]["split"],
        ),
    output:
        figure=report(
            "results/across_birds.png",
            caption="../workflow/report/across_birds.rst",
            category="all birds",
            labels={"figure": "53 one bird's decoder on another"},
        ),
        pdf="results/across_birds.pdf",
        table="results/across_birds.csv",
    log:
        "logs/across_birds.log",
    benchmark:
        "results/benchmarks/across_birds.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
    params:
        birds=config["across"]["birds"],
        labels=config["across"]["labels"],
        feature=config["curves"]["feature"],
        replicates=config["curves"]["replicates"],
        resamples=config["bootstrap"],
        simulated=any(bird in config["simulated"] for bird in config["across"]["birds"]),
        seed=configuration.derive_seed(config["seed"], "across_birds"),
        code=code("across_birds"),
    script:
        "../workflow/scripts/across_birds.py"


# Sentences for a paper's methods section, with this bird's numbers.
rule methods:
    input:
        recording=checked("results/recordings/{whole}.nwb"),
        inclusion=checked("results/inclusion/{real}.csv"),
        trials=checked("results/trials/{whole}.csv"),
        comparison="results/comparison/{bird}.csv",
    output:
        text=report(
            "results/methods/{bird}.txt",
            caption="../workflow/report/methods.rst",
            category="{bird}",
            labels={"figure": "51 text: methods"},
        ),
    log:
        "logs/methods/{bird}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
    params:
        config=settings_of_bird,
        code=code("methods"),
    script:
        "../workflow/scripts/methods.py"


# What the thesis' protocol gives for neurons that know nothing.
rule trap:
    input:
        recording=expand("results/recordings/{bird}.nwb", bird=config["trap"]),
        trials=expand("results/trials/{bird}.csv", bird=config["trap"]),
        split=expand("results/splits/{bird}/blocked.csv", bird=config["trap"]),
    output:
        figure=report(
            "results/traps/duration.png",
            caption="../workflow/report/trap.rst",
            category="all birds",
            labels={"figure": "54 the duration trap"},
        ),
        pdf="results/traps/duration.pdf",
        table="results/traps/duration.csv",
    log:
        "logs/trap.log",
    benchmark:
        "results/benchmarks/trap.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
    params:
        # Five show where shifted birds lie; no p is claimed, since the bird itself is a null.
        null_seeds=seeds_of(config["trap"], "shifted", 5),
        resamples=config["bootstrap"],
        seed=configuration.derive_seed(config["seed"], "trap"),
        code=code("trap"),
    script:
        "../workflow/scripts/trap.py"


# Numbers of arXiv:2502.07800: published, the same protocol here, an honest one, its null.
rule thesis:
    input:
        recording=checked("results/recordings/{whole}.nwb"),
        inclusion=checked("results/inclusion/{real}.csv"),
        trials=checked("results/trials/{whole}.csv"),
        split=checked("results/splits/{parent}/blocked.csv"),
    output:
        figure=report(
            "results/thesis/{bird}.png",
            caption="../workflow/report/thesis.rst",
            category="{bird}",
            labels={"figure": "50 thesis' numbers"},
        ),
        pdf="results/thesis/{bird}.pdf",
        table="results/thesis/{bird}.csv",
    log:
        "logs/thesis/{bird}.log",
    benchmark:
        "results/benchmarks/thesis/{bird}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(8000),
    params:
        # Five, since eleven models are fitted to each; rows say so, and no p is given.
        null_seeds=shifted_seeds(5),
        resamples=config["bootstrap"],
        seed=seed_for("thesis"),
        code=code("thesis"),
    script:
        "../workflow/scripts/thesis.py"
