"""kins eval."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from kins.commands.options import Annotations, As, From, Images, Json


def evaluate(
    annotations: Annotations,
    predictions: Annotated[
        list[Path], typer.Argument(metavar="PRED...", help="Prediction files; several are compared with the first.")
    ],
    json_: Json = False,
    masks: Annotated[
        Literal["amodal", "inmodal"] | None,
        typer.Option("--masks", help="What plain COCO masks in PRED are: amodal or inmodal."),
    ] = None,
    as_: As = None,
    slices: Annotated[
        str,
        typer.Option(
            "--slices",
            metavar="NAMES",
            help="Occlusion slices: none, partial, heavy, occluded, cocoa (its levels), or ranges such as 0.5-0.75.",
        ),
    ] = "none,partial,heavy,occluded",
    report: Annotated[
        Path | None, typer.Option("--report", metavar="DIR", help="Also write a report: one HTML page, figures, JSON.")
    ] = None,
    completion: Annotated[
        bool,
        typer.Option(
            "--completion", help="Compare masks that were completed for given objects, one each, by their IoU."
        ),
    ] = False,
    per_class: Annotated[bool, typer.Option("--per-class", help="Also print a table of the classes.")] = False,
    errors: Annotated[
        bool, typer.Option("--errors", help="Also say what the lost AP comes from; --report does so anyway.")
    ] = False,
    images: Images = None,
    from_: From = None,
) -> None:
    """Compare predictions with ground truth: boxes, amodal and inmodal masks, hidden parts, order.

    Example: kins eval streets/test.json pred.json --images streets/testing/image_2 --report report
    """
    import json

    from kins.evaluation import analyse, evaluate_completion
    from kins.evaluation import evaluate as run
    from kins.evaluation.slices import parse_slices
    from kins.files import check_output
    from kins.files.terminal import say
    from kins.formats import load, load_predictions

    parts = parse_slices(slices)
    if report:
        from kins.evaluation.report import check_installed, report_paths, write_report

        check_installed()
        check_output(report_paths(report, len(predictions)), [annotations, *predictions, images])
    dataset = load(annotations, images=images, format=from_, masks=as_)
    found = {str(path): load_predictions(path, dataset, masks=masks) for path in predictions}
    if completion:
        scores = {name: evaluate_completion(dataset, part) for name, part in found.items()}
        if json_:
            values = [{"predictions": name, **score.to_dict()} for name, score in scores.items()]
            typer.echo(json.dumps(values[0] if len(values) == 1 else values, indent=2))
        else:
            from kins.evaluation.tables import print_completion

            print_completion(scores)
        return
    runs = {name: run(dataset, part, parts, workers=None) for name, part in found.items()}
    if errors or report:
        for name, results in runs.items():
            results.analysis = analyse(dataset, found[name], results, workers=None)
    if report:
        page = write_report(report, dataset, {name: (found[name], results) for name, results in runs.items()})
        say(f"report: {page}", err=True)
    if json_:
        values = [{"predictions": name, **results.to_dict()} for name, results in runs.items()]
        typer.echo(json.dumps(values[0] if len(values) == 1 else values, indent=2))
    else:
        from kins.evaluation.tables import print_results

        print_results(runs, per_class)
