from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gristmill.base.errors import UserError
from mixtures.counts import Count, declared
from mixtures.manifest import MixtureManifest
from mixtures.plan import largest_remainder, plan

LENGTH, BATCH = 8, 4


def mixture(sources: dict, phases: list[dict], **fields) -> MixtureManifest:
    return MixtureManifest.model_validate(
        {
            "name": "test",
            "output": "out",
            "tokenizer": {"type": "train", "vocab_size": 300},
            "sources": {name: {"address": f"stores/{name}", **source} for name, source in sources.items()},
            "phases": [
                {"name": f"p{n}", "sequence_length": LENGTH, "batch": BATCH, **phase}
                for n, phase in enumerate(phases)
            ],
            **fields,
        }
    )


def allocated(manifest: MixtureManifest) -> list[dict[str, int]]:
    return [dict(phase.counts) for phase in plan(manifest, declared(manifest)).phases]


def refused(manifest: MixtureManifest) -> str:
    with pytest.raises(UserError) as error:
        plan(manifest, declared(manifest))
    return str(error.value)


def test_weights_are_shares_of_whole_batches():
    (counts,) = allocated(
        mixture(
            {"a": {"tokens": "1M"}, "b": {"tokens": "1M"}, "c": {"tokens": "1M"}},
            [{"budget": {"tokens": 8 * 103}, "entries": [{"source": s, "weight": 1} for s in "cab"]}],
        )
    )
    # 103 sequences are 25 whole batches; the sequence that thirds leave over goes to the alphabetically first
    assert counts == {"c": 33, "a": 34, "b": 33}


def test_tokens_and_epochs_come_first_and_weights_share_the_rest():
    (counts,) = allocated(
        mixture(
            {
                "a": {"tokens": 8 * 10 + 1},
                "b": {"tokens": "1M"},
                "c": {"tokens": "1M"},
                "d": {"tokens": "1M"},
            },
            [
                {
                    "budget": {"tokens": 8 * 100},
                    "entries": [
                        {"source": "a", "epochs": 2.5},
                        {"source": "b", "tokens": 8 * 15},
                        {"source": "c", "weight": 0.2},
                        {"source": "d", "weight": 0.1},
                    ],
                }
            ],
        )
    )
    assert counts == {"a": 25, "b": 15, "c": 40, "d": 20}


def test_a_phase_of_amounts_needs_no_budget_and_refuses_one_that_differs():
    sources = {"a": {"tokens": 8 * 100 + 1}, "b": {"tokens": "1M"}}
    entries = [{"source": "a", "epochs": 1}, {"source": "b", "tokens": 8 * 61}]
    assert allocated(mixture(sources, [{"entries": entries}])) == [{"a": 99, "b": 61}]
    message = refused(mixture(sources, [{"entries": entries, "budget": {"tokens": 8000}}]))
    assert "no entry has a weight" in message


def test_fractions_are_exact_decimals():
    manifest = mixture(
        {"a": {"tokens": "1T"}},
        [
            {"budget": {"fraction": f}, "entries": [{"source": "a", "weight": 1}], "batch": 1}
            for f in (0.1, 0.2, 0.7)
        ],
        budget={"tokens": 80},
    )
    assert [c["a"] for c in allocated(manifest)] == [1, 2, 7]  # 0.7 * 10 is 6.999... in binary


def test_a_binding_cap_is_named_with_what_is_reachable_and_the_cheapest_relaxation():
    sources = {"small": {"tokens": 8 * 100 + 1, "max_epochs": 2}, "big": {"tokens": "1M"}}
    phase = {
        "budget": {"tokens": 8 * 1000},
        "entries": [{"source": "small", "weight": 0.25}, {"source": "big", "weight": 0.75}],
    }
    message = refused(mixture(sources, [phase]))
    assert "wants 2k tokens of 'small'" in message
    assert "max_epochs of source 'small' = 2 leaves 1.6k" in message
    assert "reachable: 6.4k of the phase's 8k" in message  # 200 / 0.25 sequences
    assert "cheapest: cut the phase's budget to 6.4k (20.0% change)" in message
    assert "raise max_epochs of source 'small' to 2.5" in message
    assert "on_shortfall: redistribute" in message
    # and every relaxation that was named works
    assert allocated(mixture(sources, [phase | {"budget": {"tokens": 6400}}])) == [{"small": 200, "big": 600}]
    raised = {**sources, "small": {"tokens": 8 * 100 + 1, "max_epochs": 2.5}}
    assert allocated(mixture(raised, [phase])) == [{"small": 250, "big": 750}]
    spread = phase | {"on_shortfall": "redistribute"}
    assert allocated(mixture(sources, [spread])) == [{"small": 200, "big": 800}]


def test_redistribution_fills_other_caps_in_turn_and_fails_when_all_are_full():
    sources = {name: {"tokens": 8 * size + 1} for name, size in (("a", 10), ("b", 30), ("c", 1000))}
    entries = [
        {"source": "a", "weight": 1},
        {"source": "b", "weight": 1},
        {"source": "c", "weight": 1, "max_epochs": 0.1},
    ]
    phase = {"entries": entries, "max_epochs": 1, "on_shortfall": "redistribute"}
    assert allocated(mixture(sources, [phase | {"budget": {"tokens": 8 * 120}}])) == [
        {"a": 10, "b": 30, "c": 80}
    ]
    message = refused(mixture(sources, [phase | {"budget": {"tokens": 8 * 160}}]))
    assert "reachable: 1.12k of the phase's 1.28k" in message


def test_caps_of_a_source_hold_over_all_phases():
    sources = {"a": {"tokens": 8 * 100 + 1, "max_epochs": 1}, "b": {"tokens": "1M"}}
    entries = [{"source": "a", "weight": 1}, {"source": "b", "weight": 1}]
    phase = {"budget": {"tokens": 8 * 120}, "entries": entries}
    message = refused(mixture(sources, [phase, phase]))
    assert "phase 'p1' wants 480 tokens of 'a'" in message
    assert "leaves 320" in message
    again = phase | {"on_shortfall": "redistribute"}
    assert allocated(mixture(sources, [phase, again])) == [{"a": 60, "b": 60}, {"a": 40, "b": 80}]


def test_fixed_amounts_over_their_cap():
    sources = {"a": {"tokens": 8 * 10 + 1, "max_epochs": 3}, "b": {"tokens": "1M"}}
    phase = {
        "budget": {"tokens": 8 * 100},
        "entries": [{"source": "a", "epochs": 4}, {"source": "b", "weight": 1}],
    }
    message = refused(mixture(sources, [phase]))
    assert "max_epochs of source 'a' = 3" in message
    assert "lower 'a' to 240 tokens" in message
    assert allocated(mixture(sources, [phase | {"on_shortfall": "redistribute"}])) == [{"a": 30, "b": 70}]


@pytest.mark.parametrize(
    ("phase", "said"),
    [
        ({"budget": {"tokens": 8}, "entries": [{"source": "a", "weight": 1}]}, "less than one batch"),
        (
            {
                "budget": {"tokens": 80},
                "entries": [{"source": "a", "tokens": 800}, {"source": "b", "weight": 1}],
            },
            "more than the phase's",
        ),
        (
            {"budget": {"tokens": 80}, "entries": [{"source": "short", "weight": 1}]},
            "too few for one sequence",
        ),
    ],
)
def test_phases_that_cannot_be(phase, said):
    sources = {"a": {"tokens": "1M"}, "b": {"tokens": "1M"}, "short": {"tokens": 8}}
    assert said in refused(mixture(sources, [phase]))


def test_undeclared_sources_and_mixed_counts_are_said():
    manifest = mixture(
        {"a": {}, "b": {"tokens": "1M"}},
        [
            {
                "budget": {"tokens": 800},
                "entries": [{"source": "a", "weight": 1}, {"source": "b", "weight": 1}],
            }
        ],
    )
    with pytest.raises(UserError, match="declares no tokens"):
        declared(manifest)
    mixed = plan(manifest, {"a": Count(5000, "measured"), "b": Count(10**6, "declared")})
    assert mixed.kinds == {"declared", "measured"}
    assert "declared ones for b" in mixed.notes[0]
    assert {row["source"]: row["count"] for row in mixed.rows()} == {"a": "measured", "b": "declared"}


def test_licences_required_statements_and_shares():
    sources = {
        "a": {"tokens": "1M", "licence": "CC-BY-4.0", "kind": "synthetic", "provenance": {"teacher": "t"}},
        "b": {"tokens": "1M", "licence": "CC-BY-NC-4.0"},
        "c": {"tokens": "1M"},
    }

    def message(names: str, **policy) -> str:
        entries = [{"source": name, "weight": 1} for name in names]
        phases = [{"budget": {"tokens": 8000}, "entries": entries}]
        return refused(mixture(sources, phases, policy=policy))

    assert "'b' has the licence 'CC-BY-NC-4.0'" in message("ab", licences={"denied": ["*-nc-*"]})
    assert "not in policy.licences.allowed" in message("ab", licences={"allowed": ["CC-BY-4.0"]})
    assert "'c' states no licence" in message("ac", licences={"allowed": ["*"]})
    assert "does not state its prompt" in message("a", require=["teacher", "prompt"])
    assert "50.00% of the run is of kind synthetic, above" in message(
        "ab", shares=[{"kind": "synthetic", "max": 0.4}]
    )
    assert "below the limit of 60.00%" in message("ab", shares=[{"kind": "synthetic", "min": 0.6}])


@settings(max_examples=200)
@given(st.data())
def test_largest_remainder_is_exact_and_close(data):
    names = [f"s{n}" for n in range(data.draw(st.integers(1, 8)))]
    weights = {name: data.draw(st.integers(1, 1000)) for name in names}
    total = data.draw(st.integers(0, 10**12))
    ideal = {name: Fraction(total * weight, sum(weights.values())) for name, weight in weights.items()}
    result = largest_remainder(total, ideal, dict.fromkeys(names))
    assert sum(result.values()) == total
    assert all(abs(result[name] - ideal[name]) < 1 for name in names)


@settings(max_examples=150)
@given(st.data())
def test_plans_add_up_respect_caps_and_are_proportional_where_nothing_binds(data):
    names = [f"s{n}" for n in range(data.draw(st.integers(1, 6)))]
    caps = {name: data.draw(st.one_of(st.none(), st.sampled_from([0.5, 1, 2.5]))) for name in names}
    sizes = {name: data.draw(st.integers(1, 10**6)) for name in names}
    weights = {name: data.draw(st.integers(1, 20)) / 10 for name in names}
    sequences = data.draw(st.integers(1, 10**6)) * BATCH
    sources = {name: {"tokens": sizes[name] * LENGTH + 1} for name in names}
    entries = [{"source": name, "weight": weights[name], "max_epochs": caps[name]} for name in names]
    phase = {
        "budget": {"tokens": sequences * LENGTH},
        "entries": entries,
        "on_shortfall": data.draw(st.sampled_from(["fail", "redistribute"])),
    }
    try:
        (counts,) = allocated(mixture(sources, [phase]))
    except UserError:
        # it must really be impossible: a cap is below its share, or (redistributing) all caps are too small
        limits = {
            name: int(Fraction(str(cap)) * sizes[name]) for name, cap in caps.items() if cap is not None
        }
        if phase["on_shortfall"] == "redistribute":
            assert len(limits) == len(names)
            assert sum(limits.values()) < sequences
        else:
            total = sum(weights.values())
            assert any(sequences * weights[name] / total > limit - 1 for name, limit in limits.items())
        return
    assert sum(counts.values()) == sequences
    for name in names:
        if caps[name] is not None:
            assert counts[name] <= caps[name] * sizes[name]
    # of two sources that no cap stopped, amounts are as weights
    free = [name for name in names if caps[name] is None]
    assume(len(free) > 1)
    first, second = free[:2]
    assert abs(counts[first] / weights[first] - counts[second] / weights[second]) <= 2 / min(weights.values())


def test_planning_does_not_depend_on_size():
    """6.6T declared tokens are the same arithmetic as a thousand (the seconds are in benchmarks/startup)."""
    sources = {f"s{n}": {"tokens": "100B"} for n in range(66)}
    phase = {"budget": {"tokens": "1.9T"}, "entries": [{"source": name, "weight": 1} for name in sources]}
    planned = plan(
        manifest := mixture(sources, [phase | {"sequence_length": 8192, "batch": 768}] * 3),
        declared(manifest),
    )
    assert planned.tokens == sum(p.steps for p in planned.phases) * 768 * 8192
