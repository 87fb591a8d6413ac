"""What a configuration may say of generated song."""

from collections.abc import Mapping

from neuro2voc.configuration import GENERATORS, NETWORKS, SEQUENCES, SOURCES
from neuro2voc.configuration_words import at, listed, nearest, shown, wrong

# Files beside which those of a VAE lie.
RESERVED = (
    "plain",
    "latents",
    "codec",
    "neural_vae",
    "joint_vae",
    *GENERATORS,
    *NETWORKS,
    *SEQUENCES,
)


def check_voice(config: Mapping) -> None:
    """Refuse networks that nobody described, and song that nothing generates."""
    voice, vaes = config["voice"], list(config["vaes"])
    for name in voice["vaes"]:
        if name not in vaes:
            raise wrong(
                f"{at(('voice', 'vaes'))} holds {shown(name)}, which `vaes` does not describe"
                f"{nearest(name, vaes) or '.'}",
                f"some of {listed(vaes)}",
            )
    for name in vaes:
        if name in RESERVED:
            raise wrong(
                f"{at(('vaes', name))} takes a name that is taken; give it another.",
                f"a name other than {', '.join(RESERVED)}",
            )
    made = [*voice["generators"], *voice["vaes"]]
    if voice["shown"] not in made:
        raise wrong(
            f"{at(('voice', 'shown'))} is {shown(voice['shown'])}, which is not generated"
            f"{nearest(voice['shown'], made) or '.'}",
            f"one of {listed(made)}",
        )
    for name in voice["surrogates"]:
        if name not in (*GENERATORS, *vaes):
            raise wrong(
                f"{at(('voice', 'surrogates'))} holds {shown(name)}, which generates no song.",
                f"some of {listed(made)}",
            )


def seen_around_song(config: Mapping) -> dict[tuple, Mapping]:
    """Return the stretches of activity from which song is generated, by their place."""
    seen = {("voice", "activity"): config["voice"]["activity"]}
    for source in SOURCES:
        for bird, entry in config[source].items():
            if "voice" in entry:
                seen[source, bird, "voice"] = {**config["voice"]["activity"], **entry["voice"]}
    for name, entry in config["vaes"].items():
        if entry["activity"]:
            own = {**config["voice"]["activity"], **entry["activity"]}
            own["before"] += entry["window"]  # of which a frame may be the last
            seen["vaes", name, "activity"] = own
    return {
        path: {"start": -around["before"], "stop": around["after"]} for path, around in seen.items()
    }
