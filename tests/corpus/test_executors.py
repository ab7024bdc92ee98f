"""Slurm, with a cluster of shell scripts that really runs the jobs; Ray, where it is installed."""

from __future__ import annotations

import importlib.util
import os
import stat
import sys
import time
from pathlib import Path

import pytest

from corpus.build import build
from corpus.executors import LOGS
from corpus.store import Store
from gristmill.base.errors import UserError
from tests.corpus.stores import contents, crawl, manifest

SBATCH = """#!/bin/bash
# Says a job's number, and runs the tasks of its array in the background, after the job it depends on.
for last; do :; done
number=$(( $(cat "$FAKE/number" 2>/dev/null || echo 100) + 1 ))
echo $number > "$FAKE/number"
cp "$last" "$FAKE/script-$number.sh"
for argument; do case "$argument" in
  --dependency=*) after=${argument##*:}; echo "$argument" > "$FAKE/dependency-$number";;
  --export=*) export ${argument##*,};;
esac; done
script="$FAKE/script-$number.sh"
after=${after:-$(sed -n 's/^#SBATCH --dependency=afterok:\\([0-9]*\\).*/\\1/p' "$script")}
range=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\).*/\\1/p' "$script")
export SLURM_NODELIST=localhost SLURM_JOB_ID=$number
if [ "$FAKE_MODE" != queue ]; then
  (
    while [ -n "$after" ] && [ ! -e "$FAKE/done-$after" ]; do sleep 0.05; done
    for task in $(seq 0 ${range:-0}); do SLURM_ARRAY_TASK_ID=$task bash "$script"; done
    touch "$FAKE/done-$number"
  ) > "$FAKE/output-$number" 2>&1 < /dev/null &
fi
echo "Submitted batch job $number"
"""
SRUN = """#!/bin/bash
while [[ "$1" == -* ]]; do case "$1" in -n) shift 2;; *) shift;; esac; done
exec "$@"
"""
SCONTROL = "#!/bin/bash\necho localhost\n"
SQUEUE = (
    '#!/bin/bash\nif [ "$FAKE_MODE" = queue ]; then echo 101; else echo "invalid job id" >&2; exit 1; fi\n'
)


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Commands of Slurm on the path, and the programs of this environment."""
    folder = tmp_path / "fake"
    folder.mkdir()
    for name, script in (("sbatch", SBATCH), ("srun", SRUN), ("scontrol", SCONTROL), ("squeue", SQUEUE)):
        path = folder / name
        path.write_text(script)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    programs = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE", str(folder))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    return folder


def wait_for(path: Path, cluster: Path) -> None:
    for _ in range(6000):
        if path.exists():
            return
        time.sleep(0.05)
    pytest.fail("\n".join(file.read_text() for file in sorted(cluster.glob("output-*"))))


SLURM = {
    "type": "slurm",
    "partition": "cpu",
    "time": "1:00:00",
    "workers": 2,
    "mem_per_cpu_gb": 3,
    "qos": "low",
    "tasks_per_job": 2,
    "sbatch_args": {"account": "mill"},
    "env_command": "true",
}


def test_slurm_builds_the_same_store(tmp_path: Path, cluster: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    crawl(tmp_path / "crawl", 3, 5)
    build(manifest(Path("local"), [Path("crawl")]))
    wanted = manifest(Path("slurm"), [Path("crawl")], executor=SLURM)
    submitted = build(wanted)
    assert submitted.submitted
    assert (submitted.digest, submitted.parts, submitted.exit_code) == (None, 3, 0)
    wait_for(cluster / f"done-{submitted.submitted[-1]}", cluster)
    assert contents(tmp_path / "slurm") == contents(tmp_path / "local")
    outcome = build(wanted)
    assert outcome.reused
    assert outcome.kept == 3 * 7 - 3 - 2
    script = (cluster / "script-101.sh").read_text()
    for line in (
        "#SBATCH --partition=cpu",
        "#SBATCH --time=1:00:00",
        "#SBATCH --array=0-1%2",
        "#SBATCH --mem-per-cpu=3G",
        "#SBATCH --qos=low",
        "#SBATCH --account=mill",
        "#SBATCH --job-name=test",
        "srun  -l -n 1 launch_pickled_pipeline",
    ):
        assert line in script
    finish = [path for path in cluster.glob("script-*.sh") if "--job-name=test-finish" in path.read_text()]
    dependencies = [path.read_text() for path in cluster.glob("dependency-*")]
    assert finish
    assert "--dependency=afterok:101\n" in dependencies


def test_slurm_annotates_stored_documents(
    tmp_path: Path, cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another annotator is one job array over the parts and the job that finishes; documents stay."""
    monkeypatch.chdir(tmp_path)
    crawl(tmp_path / "crawl", 2, 5)
    build(manifest(Path("scratch"), [Path("crawl")], annotators=["gopher", "stats"]))
    build(manifest(Path("s"), [Path("crawl")]))
    documents = {path: path.stat().st_mtime_ns for path in Path("s/documents").iterdir()}
    wanted = manifest(Path("s"), [Path("crawl")], annotators=["gopher", "stats"], executor=SLURM)
    submitted = build(wanted).submitted
    assert len(submitted) == 2
    wait_for(cluster / f"done-{submitted[-1]}", cluster)
    assert contents(tmp_path / "s") == contents(tmp_path / "scratch")
    assert documents == {path: path.stat().st_mtime_ns for path in documents}
    assert build(wanted).reused


def test_slurm_compares_documents_in_job_arrays(
    tmp_path: Path, cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    crawl(tmp_path / "crawl", 1, 5)
    near = {"method": "near", "bands": 1, "rows": 4}
    dedup = {"methods": [near], "tasks": 1}
    policy = {"name": "once", "rules": [{"drop": "NOT near.keep", "reason": "near"}]}
    build(manifest(Path("local"), [Path("crawl")], dedup=dedup, policy=policy))
    wanted = manifest(Path("slurm"), [Path("crawl")], dedup=dedup, policy=policy, executor=SLURM)
    submitted = build(wanted).submitted
    wait_for(cluster / f"done-{submitted[-1]}", cluster)
    assert contents(tmp_path / "slurm") == contents(tmp_path / "local")
    assert build(wanted).reused
    # A method that changed is compared by jobs again; the parts stay.
    near["threshold"] = 0.95
    build(manifest(Path("local"), [Path("crawl")], dedup=dedup, policy=policy))
    wanted = manifest(Path("slurm"), [Path("crawl")], dedup=dedup, policy=policy, executor=SLURM)
    again = build(wanted).submitted
    assert 2 < len(again) < len(submitted)
    wait_for(cluster / f"done-{again[-1]}", cluster)
    assert contents(tmp_path / "slurm") == contents(tmp_path / "local")


def test_slurm_jobs_are_not_submitted_twice(
    tmp_path: Path, cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crawl(tmp_path / "crawl", 2, 3)
    wanted = manifest(tmp_path / "s", [tmp_path / "crawl"], executor=SLURM)
    monkeypatch.setenv("FAKE_MODE", "queue")
    first = build(wanted)
    number = (cluster / "number").read_text()
    again = build(wanted)
    assert again.submitted == first.submitted
    assert (cluster / "number").read_text() == number
    with pytest.raises(UserError, match=r"unfinished|no document store"):
        Store.open(tmp_path / "s")
    # The jobs are gone and left nothing: the same command submits them again.
    monkeypatch.setenv("FAKE_MODE", "run")
    second = build(wanted).submitted
    assert second != first.submitted
    wait_for(cluster / f"done-{second[-1]}", cluster)
    assert build(wanted).reused


def test_slurm_without_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    crawl(tmp_path / "crawl", 1, 1)
    with pytest.raises(UserError, match="there is no `sbatch` here"):
        build(manifest(tmp_path / "s", [tmp_path / "crawl"], executor=SLURM))


def test_ray_that_is_missing_is_named(tmp_path: Path) -> None:
    if importlib.util.find_spec("ray") is not None:
        pytest.skip("ray is installed")
    crawl(tmp_path / "crawl", 1, 1)
    with pytest.raises(UserError, match=r"the Ray executor needs the package 'ray'.*gristmill\[ray\]"):
        build(manifest(tmp_path / "s", [tmp_path / "crawl"], executor={"type": "ray"}))


def test_ray_builds_the_same_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")
    monkeypatch.chdir(tmp_path)
    crawl(tmp_path / "crawl", 2, 5)
    build(manifest(Path("local"), [Path("crawl")]))
    try:
        build(
            manifest(
                Path("ray"), [Path("crawl")], executor={"type": "ray", "workers": 2, "mem_per_cpu_gb": 0.5}
            )
        )
    finally:
        ray.shutdown()
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")


def test_the_terminal_stays_quiet(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    crawl(tmp_path / "crawl", 2, 2)
    for workers in (1, 2):
        build(
            manifest(
                tmp_path / f"s{workers}", [tmp_path / "crawl"], executor={"type": "local", "workers": workers}
            )
        )
        assert (
            "Processing done"
            in (tmp_path / f"s{workers}" / LOGS / "parts" / "logs" / "task_00001.log").read_text()
        )
    assert capfd.readouterr() == ("", "")
