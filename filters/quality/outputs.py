"""From the probabilities of labels to one score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gristmill.base.errors import UserError, did_you_mean


def label_weights(
    labels: Sequence[str], label: str | None, values: Mapping[str, float] | None, where: str
) -> list[float]:
    """One weight a label: a score is the sum of probabilities times weights.

    Args:
        labels: of the model, in its order.
        label: the score is this label's probability.
        values: the score is the expectation of these values; every label needs one.
        where: the model, for messages.

    With neither, labels that are numbers (`0` … `5`) are their own values.

    Raises UserError for a label that there is not, and where it is not clear what the score should be.
    """
    if label is not None and values is not None:
        raise UserError("give `label` or `values`, not both", where=where)
    if label is not None:
        if label not in labels:
            raise _unknown(label, labels, where)
        return [float(name == label) for name in labels]
    if values is not None:
        for name in values:
            if name not in labels:
                raise _unknown(name, labels, where)
        for name in labels:
            if name not in values:
                raise UserError(f"`values` says nothing of the label '{name}'", where=where)
        return [float(values[name]) for name in labels]
    try:
        return [float(name) for name in labels]
    except ValueError:
        raise UserError(
            f"the model has the labels {', '.join(labels[:20])}",
            where=where,
            mend="say whose probability is the score (`label: …`), or what each is worth (`values: {…}`)",
        ) from None


def _unknown(label: str, labels: Sequence[str], where: str) -> UserError:
    return UserError(f"the model has no label '{label}'", where=where, mend=did_you_mean(label, labels))
