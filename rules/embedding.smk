# Activity of whole bouts in three dimensions: CEBRA, and what needs no network.


# Training takes long, pictures do not: they are made of what lies in these files.
rule embed:
    input:
        unpack(embed_inputs),
    output:
        points="results/embedded/{bird}.h5",
        scores="results/embedded/{bird}.csv",
        losses="results/embedded/{bird}_losses.csv",
    log:
        "logs/embed/{bird}.log",
    benchmark:
        "results/benchmarks/embed/{bird}.tsv"
    priority: 1
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(3000),
        gpu=1,
    params:
        settings=config["embedding"],
        device=config["training"]["device"],
        null_seeds=shifted_seeds(config["embedding"]["replicates"]),
        resamples=config["bootstrap"],
        seed=seed_for("embed"),
        code=code("embed"),
    script:
        "../workflow/scripts/embed.py"


# The points, and how well syllables are told by them.
rule embedding:
    input:
        recording=checked("results/recordings/{whole}.nwb"),
        points="results/embedded/{bird}.h5",
        scores="results/embedded/{bird}.csv",
    output:
        figure=report(
            "results/embedding/{bird}.png",
            caption="../workflow/report/embedding.rst",
            category="{bird}",
            labels={"figure": "42 embeddings"},
        ),
        pdf="results/embedding/{bird}.pdf",
        table="results/embedding/{bird}.csv",
        page=report(
            "results/embedding/{bird}/view.html",
            caption="../workflow/report/embedding_view.rst",
            category="{bird}",
            labels={"figure": "43 embeddings, to turn"},
        ),
    log:
        "logs/embedding/{bird}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
    params:
        code=code("embedding"),
    script:
        "../workflow/scripts/embedding.py"


# How training went.
rule embedding_losses:
    input:
        recording=checked("results/recordings/{whole}.nwb"),
        losses="results/embedded/{bird}_losses.csv",
    output:
        figure=report(
            "results/embedding_losses/{bird}.png",
            caption="../workflow/report/embedding_losses.rst",
            category="{bird}",
            labels={"figure": "44 losses of embeddings"},
        ),
        pdf="results/embedding_losses/{bird}.pdf",
        table="results/embedding_losses/{bird}.csv",
    log:
        "logs/embedding_losses/{bird}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
    params:
        code=code("embedding_losses"),
    script:
        "../workflow/scripts/embedding_losses.py"


# Whether seeds and birds agree.
rule embedding_consistency:
    input:
        recording=checked("results/recordings/{whole}.nwb"),
        points=lambda wildcards: expand(
            "results/embedded/{bird}.h5", bird=compared_birds(wildcards)
        ),
    output:
        figure=report(
            "results/embedding_consistency/{bird}.png",
            caption="../workflow/report/embedding_consistency.rst",
            category="{bird}",
            labels={"figure": "45 consistency of embeddings"},
        ),
        pdf="results/embedding_consistency/{bird}.pdf",
        table="results/embedding_consistency/{bird}.csv",
    log:
        "logs/embedding_consistency/{bird}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(1000),
    params:
        birds=compared_birds,
        labels=config["across"]["labels"],
        code=code("embedding_consistency"),
    script:
        "../workflow/scripts/embedding_consistency.py"
