# Names, settings and seeds for all rules. Targets that name something unknown end here, in a sentence.

import sys
import time
from functools import cache
from pathlib import Path

STARTED = time.time()
sys.path.insert(0, str(workflow.basedir))

from neuro2voc import configuration
from neuro2voc.configuration_check import check_config
from neuro2voc.configuration_text import check_text
from neuro2voc.errors import DataError, nearest
from neuro2voc.provenance import code_versions
from neuro2voc.sources.settings import SETTING_NAMES, bird_settings

ENVIRONMENT = f"{workflow.basedir}/envs/neuro2voc.yaml"


def stop(sentence):
    raise SystemExit(f"neuro2voc: {sentence}")


def last_words():
    """Repeat at the end what the logs of failed jobs say, since Snakemake's own words bury it."""
    for log_file in sorted(Path("logs").rglob("*.log")):
        if log_file.stat().st_mtime >= STARTED:
            for line in log_file.read_text(errors="replace").splitlines():
                if line.startswith("ERROR "):
                    print(f"neuro2voc: {line[6:]} ({log_file})", file=sys.stderr)


def or_stop(function, *arguments):
    try:
        return function(*arguments)
    except DataError as error:
        stop(error)


for file in workflow.configfiles:
    or_stop(check_text, file)
or_stop(
    check_config,
    config,
    f"{workflow.basedir}/workflow/schemas/config.schema.yaml",
    SETTING_NAMES,
)
for name, entry in config["simulated"].items():
    or_stop(bird_settings, entry, name)


def only(names):
    """A wildcard constraint that fits these names and no others."""
    return "|".join(names) or "(?!)"


def none_of(names, behind):
    """A wildcard constraint that fits any name but these, given what comes behind it in the path."""
    return rf"(?!(?:{'|'.join(names)}){behind})[^/]+"


wildcard_constraints:
    bird=r"[^/]+",
    split=r"[^/]+",
    decoder=r"[^/]+",
    feature=r"[^/]+",
    window=r"[^/]+",


# Every start, and so every job on a cluster, asks for all of them.
CODE = or_stop(
    code_versions,
    Path(workflow.basedir, "workflow/scripts").glob("*.py"),
    f"{workflow.basedir}/neuro2voc",
    ".snakemake/code_versions.json",
)


def code(script):
    return CODE[script]


def growing(megabytes):
    """Memory that grows with each attempt: a job killed for want of it is given more."""
    return lambda wildcards, attempt: megabytes * attempt


# Planning asks the same of thousands of jobs; what is remembered depends on the configuration alone.
@cache
def named(bird):
    return or_stop(configuration.parse_bird, bird)


def names_in_paths(bird):
    """What a path may be filled in with: the bird, and what it shares with others.

    whole: with all its units, since recordings and trials know no selection. real: not a surrogate,
    since a surrogate has its parent's units. parent: neither.
    """
    name = named(bird)
    return {
        "bird": bird,
        "parent": name.parent,
        "real": bird.partition("~")[0],
        "whole": bird.replace(f"@{name.selection}", ""),
    }


def is_surrogate(bird):
    return named(bird).surrogate is not None


@cache
def setting(bird, key):
    return or_stop(configuration.setting, config, bird, key)


def of_bird(key):
    """A function of wildcards that returns the bird's own setting, or else everybody's."""
    return lambda wildcards: setting(wildcards.bird, key)


def seed_for(rule_name, of_parent=False):
    """A function of wildcards that returns the job's seed; surrogates may have their parent's."""

    def seed(wildcards):
        real = names_in_paths(wildcards.bird)["real"]
        name = named(real if of_parent else wildcards.bird)
        bird = "~".join([name.parent, *map(str, name[2:])])
        bird += f"@{name.selection}" if name.selection else ""
        rest = [value for key, value in sorted(wildcards.items()) if key != "bird"]
        return configuration.derive_seed(config["seed"], rule_name, bird, *rest)

    return seed


def check(kind, name, known):
    if name not in known:
        hint = nearest(name, known) or "."
        stop(f"no {kind} called '{name}'{hint} There are: {', '.join(known)}.")


def decoders_under(bird, split):
    """The decoders of a bird's split; networks see only some."""
    networks = setting(bird, "networks")
    return [
        *config["decoders"],
        *(networks["decoders"] if split in networks["splits"] else []),
    ]


def features_of(decoder):
    """What a decoder sees."""
    if decoder in configuration.SEQUENCES:
        return config["sequences"]["schemes"]
    networks = decoder in configuration.NETWORKS
    return config["networks"]["features"] if networks else config["features"]


@cache
def check_bird(bird):
    or_stop(configuration.check_bird, bird, config)


def check_target(wildcards):
    """Stop in a sentence where a target names what the configuration does not."""
    check_bird(wildcards.bird)
    if "split" in wildcards.keys():
        check(
            f"split of {wildcards.bird}", wildcards.split, of_bird("splits")(wildcards)
        )
    if "decoder" in wildcards.keys():
        kind = f"decoder of the split {wildcards.split}"
        check(kind, wildcards.decoder, decoders_under(wildcards.bird, wildcards.split))
    if "feature" in wildcards.keys():
        # Whatever has no decoder in its name is made for the asking.
        known = [*configuration.WHOLE_SYLLABLE_FEATURES, *config["windows"]]
        if "decoder" in wildcards.keys():
            known = features_of(wildcards.decoder)
        check("feature", wildcards.feature, known)
