# Pages of a paper: figures as panels, each drawn at its final size by the script of the figure.

# All figures that a panel can show, with the settings that a panel can override.
SHOWABLE = {name: REGISTERED[name].get("settings", []) for name in OF_DATASET}
SHOWABLE |= {f"obs_{name}": REGISTERED["obs"]["settings"] for name in OBS}
WITHOUT_CONTRAST = set(SHOWABLE)
SHOWABLE |= FIGURES | ({"enrichment": []} if PROVIDER != "none" else {})
try:
    check_panels(PAPER, SHOWABLE, REFUSED, WITHOUT_CONTRAST, CONTRASTS)
except InputError as error:
    refuse(str(error))


wildcard_constraints:
    page=one_of(PAPER),
    panel="[a-zA-Z]",


use rule figure_choices as panel_choices with:
    output:
        "<run>/paper/panels/{page}.{panel}.choices.h5",
    log:
        "<logs>/paper/{page}.{panel}.choices.log",
    benchmark:
        "<benchmarks>/paper/{page}.{panel}.choices.tsv"


# A second rule of each figure, for panels.
for figure in REGISTERED:
    drawn = getattr(rules, f"plot_{figure}")
    own = {"choices": "<run>/paper/panels/{page}.{panel}.choices.h5"}
    name = "{page}.{panel}" + (".{contrast}." if "{contrast}" in drawn.output.pdf else ".")
    name += Path(drawn.output.pdf).stem

    rule:
        name:
            f"panel_{figure}"
        input:
            **{key: own.get(key, path) for key, path in drawn.input.items()},
        output:
            pdf=f"<run>/paper/panels/{name}.pdf",
            png=f"<run>/paper/panels/{name}.png",
        log:
            f"<logs>/paper/{name}.log",
        benchmark:
            f"<benchmarks>/paper/{name}.tsv"
        group:
            "figures"
        conda:
            ENVIRONMENT
        # Memory of the largest figure.
        resources:
            mem_mb=memory(1500, cell=8, gene=8, ranked=True, block=16),
            runtime=minutes(15, cell=10, value=0.1),
        params:
            **dict(drawn.params.items()),
            panel=size_of_panel,
        script:
            "../../scripts/plot_{params.figure}.py"

    getattr(rules, f"panel_{figure}").rule.script = f"../../scripts/plot_{figure}.py"


rule paper_page:
    input:
        pdf=panels_as("pdf"),
        png=panels_as("png"),
    output:
        pdf="<run>/paper/{page}.pdf",
        png="<run>/paper/{page}.png",
    log:
        "<logs>/paper/{page}.log",
    benchmark:
        "<benchmarks>/paper/{page}.tsv"
    group:
        "figures"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=memory(500),
        runtime=minutes(10),
    params:
        page=lambda wildcards: PAPER[wildcards.page],
        option=lambda wildcards: f"paper.{wildcards.page}",
    script:
        "../../scripts/paper_page.py"


rule paper:
    input:
        (
            expand("<run>/paper/{page}.{kind}", page=PAPER, kind=("pdf", "png"))
            if PAPER
            else missing("paper")
        ),
