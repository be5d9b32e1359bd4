# The experiment graph: check -> cohort, raters -> train -> sample -> measure -> book.
#
#   snakemake --cores 2                                    the quick profile on the phantom
#   snakemake --cores 2 --config profile=paper manifest=my/data_manifest.csv
#   snakemake -n                                           what would run
#
# Every rule is one notebook under papermill, as a person would type it: `paraspine run ...`.
# Whether a result still holds goes by content (parameters, code, inputs), see Plan.
import shlex
import sys
from pathlib import Path

from paraspine.arrays import ParaspineError
from paraspine.graph import lock_workspace, make_plan

PARASPINE = f"{shlex.quote(sys.executable)} -m paraspine"
PAGES = sorted(
    str(p) for p in Path("book").rglob("*") if p.suffix in {".md", ".yml", ".bib", ".css", ".js", ".svg", ".csv"}
    and "_build" not in p.parts and "executed" not in p.parts
)
PAGES += sorted(str(p) for p in Path("paraspine/book").rglob("*") if p.is_file() and "__pycache__" not in p.parts)
SPEED = [Path("benchmarks") / name for name in ("results.json", "estimate.json")]  # the page 'Speed'
PAGES += [str(p) for p in SPEED if p.is_file()]

settings = {k: v for k, v in config.items() if k not in ("profile", "manifest")}
try:
    plan = make_plan(
        config.get("profile", "quick"), config.get("manifest", "data_manifest.csv"), **settings
    )
    if workflow.is_main_process and not {"-n", "--dry-run", "--dryrun"} & set(sys.argv):
        lock_workspace(plan.workspace, ".")
    plan.drop_stale_markers()
except ParaspineError as error:
    sys.exit(f"paraspine: {error}")


rule all:
    input:
        plan.marker("book"),


rule check:
    output:
        touch(plan.marker("check")),
    params:
        manifest=shlex.quote(plan.manifest),
    threads: workflow.cores
    shell:
        PARASPINE + " check --materialise --workers {threads} {params.manifest}"


for job in plan:

    rule:
        name:
            job.name
        input:
            [plan.marker("check"), *(plan.marker(name) for name in job.after)],
        output:
            touch(plan.marker(job.name)),
        params:
            arguments=shlex.join(job.arguments()),
        threads: 1
        resources:
            gpu=int(job.trains),
        shell:
            PARASPINE + " run {params.arguments}"


rule book:
    input:
        [plan.marker(job.name) for job in plan],
        PAGES,
    output:
        touch(plan.marker("book")),
    params:
        profile=config.get("profile", "quick"),
        manifest=shlex.quote(plan.manifest),
        changes=" ".join(f"-p {shlex.quote(f'{k}={v}')}" for k, v in settings.items()),
    shell:
        PARASPINE + " book --profile {params.profile} --manifest {params.manifest} {params.changes}"
