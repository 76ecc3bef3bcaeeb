"""From exec to the first status: the Memcached example beside the same on fabric8's informers and on the Java Operator SDK.

    benchmarks/run start [--rounds 5] [--jdk HOME]... [--clients homeostat,fabric8,josdk]

A run is a new process with 10 Memcacheds waiting for it on a real kube-apiserver. Its time is from before exec to when the server received
the first patch of a status, which the server's audit log says; CPU and memory are /proc's, when all ten were patched and after 5 s of idling.
The class path is jars alone, which class data archives need. What comes out goes to benchmarks/target/measured/start.jsonl, and as tables to
benchmarks/START.md.
"""
import datetime
import json
import os
import re
import shutil
import statistics
import subprocess
import time
import zipfile
from pathlib import Path

OBJECTS = 10
IDLE = 5  # seconds
LIMIT = 120  # seconds for all ten statuses, beside other work
SMALL = ["-XX:+UseSerialGC", "-Xmx128m"]
POLICY = """apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [ResponseStarted, ResponseComplete, Panic]
rules:
- level: Metadata
  verbs: [patch, update]
  resources: [{group: cache.example.com, resources: [memcacheds/status]}]
- level: None
"""


class Run:
    """One client on one JDK with one set of flags."""

    def __init__(self, client, main, jars, jdk, release, how, flags):
        self.client, self.main, self.jars, self.jdk, self.release, self.how, self.flags = client, main, jars, jdk, release, how, flags

    def command(self, kubeconfig, more=()):
        return [str(Path(self.jdk) / "bin" / "java"), *SMALL, *self.flags, *more, "-cp", self.jars, self.main, "--kubeconfig", kubeconfig]


def jars_of(classpath, folder):
    """The same class path without folders: each becomes a jar. Archives are refused for folders."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    jars = []
    for number, entry in enumerate(classpath.split(":")):
        if Path(entry).is_dir():
            jar = folder / f"{number}-{Path(entry).parent.parent.name}.jar"
            with zipfile.ZipFile(jar, "w", zipfile.ZIP_DEFLATED) as out:
                for file in sorted(Path(entry).rglob("*")):
                    out.write(file, file.relative_to(entry))
            entry = str(jar)
        jars.append(entry)
    return ":".join(jars)


class Cluster:
    """A control plane whose audit log tells of patches of a Memcached's status."""

    def __init__(self, root, folder):
        self.root, self.folder = root, folder
        self.close()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "policy.yaml").write_text(POLICY)
        self.log = folder / "audit.log"
        flags = f"--audit-policy-file={folder / 'policy.yaml'} --audit-log-path={self.log} --audit-log-mode=blocking"
        self.kubeconfig = subprocess.run([str(root / "control-plane" / "up"), "--dir", str(folder), "--flags", flags], check=True,
                                         capture_output=True, text=True).stdout.strip()
        assets = subprocess.run([str(root / "control-plane" / "build")], check=True, capture_output=True, text=True).stdout.strip()
        self.kubectl = [str(Path(assets) / "kubectl"), "--kubeconfig", self.kubeconfig]
        self.ask("apply", "-f", str(root / "examples" / "memcached" / "manifests" / "crd.yaml"))
        self.ask("wait", "--for=condition=Established", "crd/memcacheds.cache.example.com")

    def ask(self, *arguments, text=None):
        return subprocess.run([*self.kubectl, *arguments], input=text, check=True, capture_output=True, text=True).stdout

    def renew(self):
        """Ten Memcacheds that nobody has seen yet."""
        self.ask("delete", "memcacheds,deployments,services", "--all", "--wait=false", "-n", "default")
        self.ask("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "cache.example.com/v1alpha1", "kind": "Memcached", "metadata": {"name": f"m-{n}", "namespace": "default"},
             "spec": {"size": 2}} for n in range(OBJECTS)]}))

    def patches(self, since):
        """When which object's status was patched, in seconds of the epoch, the first time."""
        first = {}
        for line in self.log.read_text().splitlines() if self.log.exists() else ():
            entry = json.loads(line)
            at = datetime.datetime.fromisoformat(entry["requestReceivedTimestamp"].replace("Z", "+00:00")).timestamp()
            if at >= since:
                first.setdefault(entry["objectRef"]["name"], at)
        return first

    def close(self):
        if (self.folder / "pids").is_dir():
            subprocess.run([str(self.root / "control-plane" / "down"), "--dir", str(self.folder)], check=True)


def cpu_ms(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def resident(pid):
    return int(re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1]) * 1024


def once(run, cluster, log, more=()):
    """One start, until all statuses are there and it has idled."""
    cluster.renew()
    load = os.getloadavg()[0]
    with open(log, "wb") as out:
        begin = time.time()
        process = subprocess.Popen(run.command(cluster.kubeconfig, more), stdout=out, stderr=out)
    try:
        while len(told := cluster.patches(begin)) < OBJECTS:
            if process.poll() is not None or time.time() - begin > LIMIT:
                raise RuntimeError(f"{run.client} ({run.how}) patched {len(told)} of {OBJECTS} statuses, see {log}")
            time.sleep(0.02)
        used = cpu_ms(process.pid)
        time.sleep(IDLE)
        return {"client": run.client, "jdk": run.release, "how": run.how, "first_ms": (min(told.values()) - begin) * 1000,
                "all_ms": (max(told.values()) - begin) * 1000, "cpu_ms": used, "rss": resident(process.pid), "load": load}
    finally:
        process.terminate()
        try:
            process.wait(LIMIT)  # an archive is written at the end
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def archived(run, cluster, folder):
    """The same with an archive made by a first run: an AOT cache (JEP 514) from JDK 25 on, AppCDS before."""
    name = f"{run.client}-{run.release.split('.')[0]}"
    if int(run.release.split(".")[0]) >= 25:
        archive, write, read, how = folder / f"{name}.aot", "-XX:AOTCacheOutput=", "-XX:AOTCache=", "AOT cache"
    else:
        archive, write, read, how = folder / f"{name}.jsa", "-XX:ArchiveClassesAtExit=", "-XX:SharedArchiveFile=", "AppCDS"
    archive.unlink(missing_ok=True)
    once(run, cluster, folder / f"{name}-training.log", [f"{write}{archive}"])
    if not archive.exists():
        raise RuntimeError(f"{run.client} left no archive {archive}, see {folder / f'{name}-training.log'}")
    # Refuses to start where the archive cannot be used, so that nothing else is measured in its place.
    strict = "-XX:AOTMode=on" if how == "AOT cache" else "-Xshare:on"
    return Run(run.client, run.main, run.jars, run.jdk, run.release, how, [*run.flags, f"{read}{archive}", strict])


def measure(here, root, measured, classpaths, jdks, rounds, say):
    """All of them, in turn, round after round; what came out before is replaced."""
    folder = here / "target" / "start"
    shutil.rmtree(folder, ignore_errors=True)
    mains = {"homeostat": "MemcachedOperator", "fabric8": "Fabric8Memcached", "josdk": "JosdkMemcached"}
    jars = {client: jars_of(path, folder / client) for client, path in classpaths.items()}
    cluster = Cluster(root, folder / "cluster")
    samples = []
    try:
        runs = []
        for jdk in jdks:
            release = re.search(r'JAVA_VERSION="([^"]+)"', (Path(jdk) / "release").read_text())[1]
            for client in jars:
                main = "io.homeostat.examples.memcached." + mains[client]
                for how, flags in (("default", []), ("C1", ["-XX:TieredStopAtLevel=1"])):
                    runs.append(Run(client, main, jars[client], jdk, release, how, flags))
                say(f"training {client} on {release}")
                try:
                    runs.append(archived(runs[-2], cluster, folder))
                except RuntimeError as problem:
                    say(f"no archive: {problem}")
        for r in range(rounds):
            for run in runs[r % len(runs):] + runs[:r % len(runs)]:
                try:
                    sample = {**once(run, cluster, folder / f"{run.client}.log"), "round": r}
                except RuntimeError as problem:
                    say(f"failed, and is not counted: {problem}")
                    continue
                samples.append(sample)
                say(f"round {r + 1} of {rounds}: {run.client}, JDK {run.release}, {run.how}: first status after {sample['first_ms']:.0f} ms, "
                    f"CPU {sample['cpu_ms']:.0f} ms, idle {sample['rss'] / 1e6:.0f} MB, load {sample['load']:.1f}")
    finally:
        cluster.close()
        if samples:  # also of a run that is broken off: what was measured stands
            (measured / "start.jsonl").write_text("".join(json.dumps(s) + "\n" for s in samples))
            (here / "START.md").write_text(report(samples))
            say("wrote START.md")


def report(samples):
    def figures(key, value):
        found = [s[value] for s in samples if (s["client"], s["jdk"], s["how"]) == key]
        return statistics.median(found), min(found), max(found)

    keys = list(dict.fromkeys((s["client"], s["jdk"], s["how"]) for s in samples))
    loads = [s["load"] for s in samples]
    lines = [
        "# Starts", "", "Written by `benchmarks/run start`; `start.py` says how it measures.", "",
        f"The Memcached example, {OBJECTS} objects, rounds in turn: {max(s['round'] for s in samples) + 1}, all with `{' '.join(SMALL)}`; medians, "
        f"with the range in brackets. Ratios: to fabric8's · to JOSDK's median on the same JDK with the same flags. Goals: first status ≤ 0.6 (G14), idle "
        f"≤ 0.7 · ≤ 0.75 (G15). Load average when a process began: {min(loads):.1f} to {max(loads):.1f}"
        + (f" on {os.cpu_count()} cores: **the machine was busy with other work, times are not to be quoted**, and CPU is larger for all." if max(loads) > 2 * os.cpu_count()
           else "."), "",
        "| client | JDK | flags | first status, ms | ratios | CPU until all ten, ms | ratios | idle RSS, MB | ratios |",
        "|---|---|---|---|---|---|---|---|---|"]

    def ratios(key, value):
        """To fabric8 and to JOSDK, with the same flags on the same JDK."""
        peers = [(peer, *key[1:]) for peer in ("fabric8", "josdk")]
        return " · ".join("–" if peer == key or peer not in keys else f"{figures(key, value)[0] / figures(peer, value)[0]:.2f}" for peer in peers)

    for key in sorted(keys, key=lambda k: (k[1], k[2], k[0] != "homeostat", k[0])):
        first, cpu, rss = (figures(key, value) for value in ("first_ms", "cpu_ms", "rss"))
        lines.append(
            f"| {key[0]} | {key[1]} | {key[2]} | {first[0]:,.0f} ({first[1]:,.0f}–{first[2]:,.0f}) | {ratios(key, 'first_ms')} | "
            f"{cpu[0]:,.0f} ({cpu[1]:,.0f}–{cpu[2]:,.0f}) | {ratios(key, 'cpu_ms')} | {rss[0] / 1e6:.0f} | {ratios(key, 'rss')} |")
    return "\n".join(lines) + "\n"
