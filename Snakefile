# neuro2voc: from a recording of a brain and a voice to what one says of the other.
from snakemake.utils import min_version

min_version("9.0")


configfile: f"{workflow.basedir}/config.yaml"


report: "workflow/report/workflow.rst"


include: "rules/common.smk"
include: "rules/inputs.smk"
include: "rules/network_inputs.smk"
include: "rules/voice_inputs.smk"
include: "rules/latents_inputs.smk"
include: "rules/embedding_inputs.smk"
include: "rules/recordings.smk"
include: "rules/trials.smk"
include: "rules/decoding.smk"
include: "rules/tokens.smk"
include: "rules/networks.smk"
include: "rules/figures.smk"
include: "rules/checks.smk"
include: "rules/neurons.smk"
include: "rules/attribution.smk"
include: "rules/network_attribution.smk"
include: "rules/contexts.smk"
include: "rules/pretraining.smk"
include: "rules/voice.smk"
include: "rules/latents.smk"
include: "rules/warping.smk"
include: "rules/codec.smk"
include: "rules/embedding.smk"
include: "rules/windows.smk"
include: "rules/song.smk"
include: "rules/birds.smk"
include: "rules/provenance.smk"


onerror:
    last_words()


# Every figure of every bird in `birds`, and what they were made from.
rule all:
    default_target: True
    input:
        all_figures(),
        "results/provenance.json",


include: "rules/unknown.smk"
