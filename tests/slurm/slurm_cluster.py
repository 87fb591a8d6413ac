"""A Slurm of one node on this machine, for tests: own folder, ports and keys, no accounting."""

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = {
    "slurm-wlm": ["slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "scontrol"],
    "munge": ["munged"],
}
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
START_LIMIT = 60

# Memory limits kill without cgroups, and finished jobs stay visible for the whole session.
CONFIGURATION = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
PlugStackConfig={folder}/plugstack.conf
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
MailProg=/bin/true
SchedulerParameters=batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/jobs.txt
AccountingStorageType=accounting_storage/none
GresTypes=gpu
ReturnToService=2
MinJobAge=7200
KillWait=5
InactiveLimit=0
NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=64000 Gres=gpu:1
PartitionName=cpu Nodes=node Default=YES MaxTime=2-0 State=UP
PartitionName=gpu Nodes=node MaxTime=2-0 State=UP
"""


def missing_packages():
    """Debian packages whose programs are not here."""
    return [
        package
        for package, programs in PROGRAMS.items()
        if not all(shutil.which(program, path=PATH) for program in programs)
    ]


def free_ports(number):
    """Ports of the loopback that nobody uses."""
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_until(condition, what, limit=START_LIMIT, step=0.2):
    """Return what `condition` returns once that is true; fail where it never is."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(step)
    raise AssertionError(f"after {limit} s still not: {what}")


class Cluster:
    """Commands to a running cluster, and the environment they need."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = {
            **os.environ,
            "PATH": f"{folder}/bin{os.pathsep}{PATH}",
            "SLURM_CONF": f"{folder}/slurm.conf",
        }
        for name in [*self.environment]:
            if name.startswith(("SLURM_JOB", "SBATCH_", "SRUN_", "SQUEUE_")):
                del self.environment[name]

    def run(self, *command, check=True):
        """Standard output of a command that sees this cluster."""
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=60,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)}: {done.stderr or done.stdout}")
        return done.stdout

    def jobs(self):
        """All jobs since the start, each a dictionary of what `scontrol show job` says."""
        lines = self.run("scontrol", "--oneliner", "show", "job", check=False).splitlines()
        return [
            dict(word.split("=", 1) for word in line.split() if "=" in word)
            for line in lines
            if line.startswith("JobId=")
        ]

    def jobs_of(self, rule, since=0):
        """Jobs of one rule whose number is greater than `since`, in their order."""
        return [
            job
            for job in sorted(self.jobs(), key=lambda job: int(job["JobId"]))
            if f"{job.get('Comment')}_".startswith(f"rule_{rule}_") and int(job["JobId"]) > since
        ]

    def last_job(self):
        """Number of the newest job, 0 where there was none."""
        return max((int(job["JobId"]) for job in self.jobs()), default=0)

    def wait_for(self, rule, state, since=0, limit=120):
        """The first job of a rule to be in this state."""

        def seen():
            return [job for job in self.jobs_of(rule, since) if job["JobState"] == state]

        return wait_until(seen, f"a job of {rule} is {state}", limit)[0]

    def wait_until_empty(self, limit=120):
        """Return once no job is queued or running."""
        wait_until(
            lambda: not self.run("squeue", "--noheader").strip(), "the queue is empty", limit
        )


@contextmanager
def running_cluster(folder):
    """Start munge, controller and node in this folder; stop them, and their jobs, in any case."""
    folder = Path(folder)
    write_configuration(folder)
    cluster = Cluster(folder)
    daemons = []
    try:
        daemons.append(start_munge(folder, cluster.environment))
        for command in (["slurmctld", "-D", "-c"], ["slurmd", "-D"]):
            daemons.append(start([*command, "-f", f"{folder}/slurm.conf"], cluster.environment))
        wait_until(lambda: is_ready(cluster, daemons), f"Slurm is up; logs lie in {folder}")
        yield cluster
    finally:
        stop(cluster, daemons)


def write_configuration(folder):
    """Write slurm.conf and gres.conf, and make the folders that they name."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "state").mkdir()
    (folder / "spool").mkdir()
    (folder / "plugstack.conf").touch()
    # The plugin's job step drops SLURM_CONF before it calls srun.
    (folder / "bin").mkdir()
    srun = folder / "bin" / "srun"
    srun.write_text(
        f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which("srun", path=PATH)} "$@"\n'
    )
    srun.chmod(0o755)
    (folder / "gres.conf").write_text("Name=gpu File=/dev/null Count=1\n")
    controller_port, node_port = free_ports(2)
    text = CONFIGURATION.format(
        folder=folder,
        host=socket.gethostname().split(".")[0],
        user=subprocess.check_output(["id", "-un"], text=True).strip(),
        controller_port=controller_port,
        node_port=node_port,
    )
    (folder / "slurm.conf").write_text(text)


def start_munge(folder, environment):
    """Start a munge daemon with its own key and socket, and wait until it listens."""
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    files = {name: f"{folder}/munge.{name}" for name in ("socket", "pid", "log", "seed")}
    daemon = start(
        [
            "munged",
            "--foreground",
            # Folders that only this user can enter are enough here.
            "--force",
            f"--key-file={key}",
            f"--socket={files['socket']}",
            f"--pid-file={files['pid']}",
            f"--log-file={files['log']}",
            f"--seed-file={files['seed']}",
        ],
        environment,
    )
    wait_until(lambda: Path(files["socket"]).exists() or daemon.poll() is not None, "munge listens")
    assert daemon.poll() is None, daemon.log.read_text()
    return daemon


def start(command, environment):
    """Start a daemon that ends with this process at the latest; its words go to a file."""
    folder = Path(environment["SLURM_CONF"]).parent
    log = folder / f"{command[0]}.out"
    program = shutil.which(command[0], path=PATH)
    with log.open("w") as out:
        daemon = subprocess.Popen(
            ["setpriv", "--pdeathsig=TERM", program, *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    daemon.log = log
    return daemon


def is_ready(cluster, daemons):
    """Whether the node waits for jobs; fails where a daemon has ended."""
    for daemon in daemons:
        assert daemon.poll() is None, f"{daemon.args[0]} ended: {daemon.log.read_text()}"
    states = cluster.run("sinfo", "--noheader", "--format=%T", check=False)
    return set(states.split()) == {"idle"}


def stop(cluster, daemons):
    """Cancel all jobs, then end node, controller and munge, in this order."""
    if len(daemons) == 3:
        names = cluster.run("squeue", "--noheader", "--format=%i", check=False).split()
        if names:
            cluster.run("scontrol", "update", "NodeName=node", "State=RESUME", check=False)
            cluster.run("scancel", "--signal=KILL", *names, check=False)
            cluster.run("scancel", *names, check=False)
            try:
                cluster.wait_until_empty(30)
            except AssertionError:
                pass
    for daemon in reversed(daemons):
        daemon.terminate()
        try:
            daemon.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(daemon.pid, signal.SIGKILL)
            daemon.wait(10)
    end_what_is_left(cluster.folder)


def end_what_is_left(folder):
    """End jobs' processes that Slurm lost sight of; they have this cluster in their environment."""
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            ours = str(folder).encode() in environment.read_bytes()
            if ours and environment.parent.name != str(os.getpid()):
                os.kill(int(environment.parent.name), signal.SIGKILL)
        except (OSError, ValueError):
            continue
