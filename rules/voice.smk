# Neurons to sound.


# A spectrogram of every bout. A surrogate has its parent's sound.
rule frames:
    input:
        recording=of_parent("results/recordings/{bird}.nwb"),
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
