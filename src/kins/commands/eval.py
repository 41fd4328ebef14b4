"""kins eval."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from kins.commands.options import PROTOCOL_NAMES, Annotations, As, From, Images, Json

if TYPE_CHECKING:
    from kins.evaluation import Results


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
    protocol: Annotated[
        str | None,
        typer.Option(
            "--protocol",
            metavar="NAME",
            autocompletion=PROTOCOL_NAMES,
            help="Print the figures of a published program alone: coco, vrsp, aisformer, aistron, amodalapi, c2f-seg, "
            "pcnet, deocclusion, instaorder, whdr or uoais.",
        ),
    ] = None,
    shards: Annotated[
        bool,
        typer.Option(
            "--shards",
            help="PRED... are parts of one set of predictions, each of other images; one at a time is in memory.",
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
    from kins.evaluation import analyse, evaluate_completion, evaluate_protocol, evaluate_shards
    from kins.evaluation import evaluate as run
    from kins.evaluation.results import without_nan
    from kins.evaluation.slices import parse_slices
    from kins.files import check_output
    from kins.files.terminal import say
    from kins.formats import load, load_predictions

    parts = parse_slices(slices)
    others = {"--report": report, "--completion": completion, "--errors": errors}
    if protocol:
        _check_protocol(protocol, others | {"--shards": shards})
    if shards:
        _check_alone("--shards gives the usual figures alone", others)
    if report:
        from kins.evaluation.report import check_installed, report_paths, write_report

        check_installed()
        check_output(report_paths(report, len(predictions)), [annotations, *predictions, images])
    dataset = load(annotations, images=images, format=from_, masks=as_)
    if shards:
        results = evaluate_shards(
            dataset, (load_predictions(path, dataset, masks=masks) for path in predictions), parts, None
        )
        _show({f"{predictions[0]} and {len(predictions) - 1} more": results}, json_, per_class)
        return
    found = {str(path): load_predictions(path, dataset, masks=masks) for path in predictions}
    if protocol:
        figures = {name: evaluate_protocol(protocol, dataset, part, workers=None) for name, part in found.items()}
        if json_:
            _print_json({name: {"protocol": protocol, "figures": without_nan(rows)} for name, rows in figures.items()})
        else:
            from kins.evaluation.tables import print_protocol

            print_protocol(protocol, figures)
        return
    if completion:
        scores = {name: evaluate_completion(dataset, part) for name, part in found.items()}
        if json_:
            _print_json({name: score.to_dict() for name, score in scores.items()})
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
    _show(runs, json_, per_class)


def _show(runs: "dict[str, Results]", json_: bool, per_class: bool) -> None:
    if json_:
        _print_json({name: results.to_dict() for name, results in runs.items()})
    else:
        from kins.evaluation.tables import print_results

        print_results(runs, per_class)


def _check_protocol(protocol: str, others: Mapping[str, object]) -> None:
    from kins.errors import KinsError
    from kins.evaluation import PROTOCOLS

    if protocol not in PROTOCOLS:
        raise KinsError(f"no protocol {protocol!r}; there are {', '.join(PROTOCOLS)}")
    _check_alone(f"--protocol prints the figures of {protocol} alone", others)


def _check_alone(what: str, others: Mapping[str, object]) -> None:
    from kins.errors import KinsError

    if wanted := [name for name, value in others.items() if value]:
        raise KinsError(f"{what}; leave out {', '.join(wanted)}")


def _print_json(parts: dict[str, dict[str, Any]]) -> None:
    """One object, or of several prediction files a list of them."""
    import json

    values = [{"predictions": name, **value} for name, value in parts.items()]
    typer.echo(json.dumps(values[0] if len(values) == 1 else values, indent=2))
