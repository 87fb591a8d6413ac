# Latents of activity and of both activity and voice, and what they say of each other.


# Autoencoders of activity, one of each kind for every fold.
rule train_neural_vae:
    input:
        unpack(latent_inputs),
    output:
        models="results/models/{bird}/{split}/neural_vae.safetensors",
        about="results/models/{bird}/{split}/neural_vae.json",
        losses="results/losses/{bird}/{split}/neural_vae.csv",
    log:
        "logs/train_neural_vae/{bird}/{split}.log",
    benchmark:
        "results/benchmarks/train_neural_vae/{bird}/{split}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(3000),
        gpu=1,
    params:
        settings=config["neural_vae"],
        training=latent_training("neural_vae"),
        inner_folds=config["inner_folds"],
        checkpoints="checkpoints/train_neural_vae/{bird}/{split}",
        seed=seed_for("train_neural_vae"),
        code=code("train_neural_vae"),
    script:
        "../workflow/scripts/train_neural_vae.py"


# What comes out of their latents, and out of those of a surrogate trained alike.
rule neural_vae:
    input:
        unpack(latent_models("neural_vae")),
    output:
        figure=report(
            "results/neural_vae/{bird}.png",
            caption="../workflow/report/neural_vae.rst",
            category="{bird}",
            labels={"figure": "46 neural autoencoders"},
        ),
        pdf="results/neural_vae/{bird}.pdf",
        table="results/neural_vae/{bird}.csv",
        decoding="results/neural_vae/{bird}_decoding.csv",
    log:
        "logs/neural_vae/{bird}.log",
    benchmark:
        "results/benchmarks/neural_vae/{bird}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(3000),
        gpu=1,
    params:
        settings=config["neural_vae"],
        training=latent_training("neural_vae"),
        inner_folds=config["inner_folds"],
        split=config["curves"]["split"],
        control=latent_control,
        resamples=config["bootstrap"],
        checkpoints="checkpoints/neural_vae/{bird}",
        seed=seed_for("neural_vae"),
        code=code("neural_vae"),
    script:
        "../workflow/scripts/neural_vae.py"


# One latent space of activity and voice for every fold. A surrogate has its parent's voice.
rule train_joint_vae:
    input:
        unpack(latent_inputs),
    output:
        models="results/models/{bird}/{split}/joint_vae.safetensors",
        about="results/models/{bird}/{split}/joint_vae.json",
        losses="results/losses/{bird}/{split}/joint_vae.csv",
    log:
        "logs/train_joint_vae/{bird}/{split}.log",
    benchmark:
        "results/benchmarks/train_joint_vae/{bird}/{split}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(3000),
        gpu=1,
    params:
        settings=config["neural_vae"],
        joint=config["joint_vae"],
        training=latent_training("joint_vae"),
        inner_folds=config["inner_folds"],
        checkpoints="checkpoints/train_joint_vae/{bird}/{split}",
        seed=seed_for("train_joint_vae"),
        code=code("train_joint_vae"),
    script:
        "../workflow/scripts/train_joint_vae.py"


# Song generated in latent spaces: by the joint one, and from those of activity to those of the voice.
rule generate_by_latents:
    input:
        unpack(both_inputs),
    output:
        song="results/generated/{bird}/{split}/latents.h5",
    log:
        "logs/generate_by_latents/{bird}/{split}.log",
    benchmark:
        "results/benchmarks/generate_by_latents/{bird}/{split}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(3000),
        gpu=1,
    params:
        settings=config["neural_vae"],
        training=latent_training("joint_vae"),
        inner_folds=config["inner_folds"],
        checkpoints="checkpoints/generate_by_latents/{bird}/{split}",
        seed=seed_for("generate_by_latents"),
        code=code("generate_by_latents"),
    script:
        "../workflow/scripts/generate_by_latents.py"


# The reverse generation, beside what is trained on shifted activity.
rule voice_to_neurons:
    input:
        unpack(reverse_inputs),
    output:
        figure=report(
            "results/voice_to_neurons/{bird}.png",
            caption="../workflow/report/voice_to_neurons.rst",
            category="{bird}",
            labels={"figure": "48 voice to neurons"},
        ),
        pdf="results/voice_to_neurons/{bird}.pdf",
        table="results/voice_to_neurons/{bird}.csv",
        units="results/voice_to_neurons/{bird}_units.csv",
    log:
        "logs/voice_to_neurons/{bird}.log",
    benchmark:
        "results/benchmarks/voice_to_neurons/{bird}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(3000),
        gpu=1,
    params:
        settings=config["neural_vae"],
        training=latent_training("joint_vae"),
        inner_folds=config["inner_folds"],
        split=config["curves"]["split"],
        null_seeds=shifted_seeds(config["curves"]["replicates"]),
        resamples=config["bootstrap"],
        checkpoints="checkpoints/voice_to_neurons/{bird}",
        seed=seed_for("voice_to_neurons"),
        code=code("voice_to_neurons"),
    script:
        "../workflow/scripts/voice_to_neurons.py"


# Both modalities in the joint space: a picture, and numbers that do not depend on it.
rule latents:
    input:
        unpack(joint_inputs),
    output:
        figure=report(
            "results/latents/{bird}.png",
            caption="../workflow/report/latents.rst",
            category="{bird}",
            labels={"figure": "47 latents of both"},
        ),
        pdf="results/latents/{bird}.pdf",
        table="results/latents/{bird}.csv",
        neighbours="results/latents/{bird}_neighbours.csv",
        space="results/latents/{bird}_space.csv",
    log:
        "logs/latents/{bird}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(3000),
    params:
        split=config["curves"]["split"],
        resamples=config["bootstrap"],
        seed=seed_for("latents"),
        code=code("latents"),
    script:
        "../workflow/scripts/latents.py"
