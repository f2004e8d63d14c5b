"""A person's series as a task: windows, walk-forward splits, scales, references, and what a person is told."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import registry
from tasks.own import baselines, checks, example, reading, series, windows
from tasks.own.series import EXAMPLE, OwnSeries
from tasks.own.windows import CLIP, Scale, features, thinned
from tasks.task import Split, SplitName
from tests.tasks.fingerprints import fingerprint

SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")
HERE = Path(series.__file__).parent

Tasks = Callable[..., OwnSeries]


@pytest.fixture
def own(tmp_path: Path) -> Tasks:
    """A task made of columns, or of a frame."""

    def make(columns: dict[str, object] | pd.DataFrame, **parameters: object) -> OwnSeries:
        path = tmp_path / "own.csv"
        pd.DataFrame(columns).to_csv(path, index=False)
        reading._tables.clear()  # two files written in one tick of the clock may look the same
        asked = {"target_column": "y", "time_column": "at", "window": 8, "origins": 6, **parameters}
        return OwnSeries(path=str(path), **asked)  # type: ignore[arg-type]

    return make


def walk(rows: int, seed: int = 0) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).normal(size=rows)).round(3)


def touched(task: OwnSeries, split: SplitName, fold: int | None) -> set[int]:
    """Rows that a split's arrays show, of a table whose target is the row's number, predicted as a level."""
    data, scale = task.data(split, 0, fold), task.scales(fold)
    series = task.table().series[task.fold(fold).rows[split]]
    mean, sd = scale.mean[series, 0], scale.sd[series, 0]
    seen, asked = data.inputs[:, :, 2] * sd[:, None] + mean[:, None], data.targets * sd + mean
    assert np.abs(seen - np.rint(seen)).max() < 0.01
    return set(np.rint(seen).astype(int).ravel().tolist()) | set(np.rint(asked).astype(int).tolist())


# --- windows ----------------------------------------------------------------------------------------------------------


def test_features_are_the_documented_arithmetic() -> None:
    values = np.array([[[1.0, 50.0], [3.0, 50.0], [2.0, 90.0], [6.0, 50.0]]])
    scale = Scale(*(np.array([row]) for row in ([2.0, 40.0], [4.0, 10.0], [0.5, 1.0], [2.0, 5.0])))
    found = features(values, scale)
    assert found.shape == (1, 4, 6) and found.dtype == np.float32
    np.testing.assert_allclose(found[0, :, 0], np.array([0, 2, -1, 4]) / 0.5)
    np.testing.assert_allclose(found[0, :, 1], (np.array([1, 3, 2, 6]) - 6) / (2.0 * np.sqrt(4)))
    np.testing.assert_allclose(found[0, :, 2], (np.array([1, 3, 2, 6]) - 2) / 4)
    np.testing.assert_allclose(found[0, :, 3], [0, 0, CLIP, -CLIP])


@pytest.mark.parametrize("horizon", [1, 3])
@pytest.mark.parametrize("predict", ["change", "level"])
def test_a_sample_is_a_window_and_the_row_so_far_ahead(own: Tasks, predict: str, horizon: int) -> None:
    y, x = walk(500), walk(500, 1)
    task = own({"at": range(500), "y": y, "x": x}, predict=predict, horizon=horizon, inputs_columns=("x",))
    cells: list[tuple[int | None, SplitName]] = [(None, "validation"), (5, "test")]
    for fold, split in cells:
        rows, data, scale = task.fold(fold).rows[split], task.data(split, 0, fold), task.scales(fold)
        assert data.inputs.shape == (len(rows), 8, 6)
        for n in (0, len(rows) - 1):
            last = rows[n] - horizon
            window = slice(last - 7, last + 1)
            np.testing.assert_allclose(data.inputs[n, :, 2], (y[window] - scale.mean[0, 0]) / scale.sd[0, 0], rtol=1e-5)
            np.testing.assert_allclose(data.inputs[n, 1:, 3], np.diff(x[window]) / scale.change_sd[0, 1], rtol=1e-4)
            if predict == "change":
                assert data.targets[n] == pytest.approx((y[rows[n]] - y[last]) / scale.horizon_sd[0, 0], rel=1e-5)
            else:
                assert data.targets[n] == pytest.approx((y[rows[n]] - scale.mean[0, 0]) / scale.sd[0, 0], rel=1e-5)


@pytest.mark.parametrize("horizon", [0, 1, 2])
def test_classes_ahead_see_past_classes_and_present_ones_do_not(own: Tasks, horizon: int) -> None:
    x = walk(500)
    label = np.where(np.arange(500) % 5 == 0, "b", np.where(x > 0, "c", "a"))
    frame = {"at": range(500), "y": label, "x": x}
    task = own(frame, predict="class", horizon=horizon, inputs_columns=("x",))
    data, rows = task.data("validation", 0), task.fold(None).rows["validation"]
    assert task.table().classes == ("a", "b", "c") and task.outputs == 3 and task.loss == "cross_entropy"
    codes = np.searchsorted(["a", "b", "c"], label)
    assert (data.targets == codes[rows]).all()
    assert task.inputs == (6 if horizon else 3)
    if horizon:
        seen = rows[:, None] - horizon + np.arange(-7, 1)
        assert (data.inputs[:, :, 3:].argmax(2) == codes[seen]).all() and (data.inputs[:, :, 3:].sum(2) == 1).all()
    assert own({"at": range(500), "y": label}, predict="class").inputs == 3, "past classes alone are enough"


def test_windows_never_mix_series_nor_span_a_gap(own: Tasks) -> None:
    """Every value names its series and run, so a mixed window would show."""
    rows, shops = 400, 3
    at = np.arange(rows) + 100 * (np.arange(rows) >= 250)
    frame = pd.DataFrame(
        [
            {
                "at": at[row],
                "shop": f"s{shop}",
                "y": 1e6 * shop + 1e4 * (row >= 250) + walk(rows, shop)[row],
                "row": row,
            }
            for row in range(rows)
            for shop in range(shops)
        ]
    )
    task = own(frame, series="shop", inputs_columns=("row",), gaps="split", horizon=2)
    table = task.table()
    assert table.breaks.sum() == shops
    for fold in (None, 0, 5):
        for split in SPLITS[: 2 if fold is None else 3]:
            target = task.fold(fold).rows[split]
            seen = target[:, None] - 2 + np.arange(-7, 1)
            run = np.cumsum(table.breaks) + 1000 * table.series
            assert (run[seen] == run[target][:, None]).all()
            assert (np.diff(table.values[seen, 1], axis=1) == 1).all()
            assert (table.values[target, 1] - table.values[seen[:, -1], 1] == 2).all()
    scale = task.scales()
    assert (np.abs(scale.mean[:, 0] - 1e6 * np.arange(3)) < 1e3).all(), "each series has its own scale"


# --- walk-forward origins ---------------------------------------------------------------------------------------------


@given(
    rows=st.integers(400, 700),
    window=st.integers(2, 14),
    horizon=st.integers(1, 5),
    origins=st.integers(6, 20),
    shops=st.integers(1, 3),
    late=st.integers(0, 30),
)
def test_no_row_is_in_two_splits_of_a_fold_and_time_goes_on(
    tmp_path_factory: pytest.TempPathFactory, rows: int, window: int, horizon: int, origins: int, shops: int, late: int
) -> None:
    """The values are the rows' own numbers; series start and tick apart from each other."""
    path = tmp_path_factory.mktemp("purge") / "own.csv"
    parts = [
        pd.DataFrame({"at": shop * late + np.arange(rows) * (1 + shop % 2), "shop": f"s{shop}"})
        for shop in range(shops)
    ]
    frame = pd.concat(parts, ignore_index=True)
    frame["y"] = np.arange(len(frame))
    frame.to_csv(path, index=False)
    try:
        task = OwnSeries(str(path), "y", "at", (), "shop", "level", window=window, horizon=horizon, origins=origins)
    except ValueError as error:
        assert "too short" in str(error) or "left out" in str(error)
        return
    times, groups = task.table().times, []
    for fold in (None, *range(origins)):
        names = SPLITS[: 2 if fold is None else 3]
        seen = {name: touched(task, name, fold) for name in names}
        assert len(set.union(*seen.values())) == sum(map(len, seen.values())), "no row is shared"
        ends = [(min(times[list(seen[name])]), max(times[list(seen[name])])) for name in names]
        assert all(earlier[1] < later[0] for earlier, later in zip(ends, ends[1:], strict=False))
        if fold is not None:
            groups.append(set(task.data("test", 0, fold).groups.tolist()))  # type: ignore[union-attr]
    assert len(set.union(*groups)) == sum(map(len, groups)) <= 4 * origins
    tested = np.concatenate([task.fold(fold).rows["test"] for fold in range(origins)])
    last = times > times.max() - (times.max() - times.min()) // 20
    assert len(set(tested.tolist())) == len(tested) and set(np.flatnonzero(last)) <= set(tested.tolist())


def test_the_example_is_split_as_the_docstring_says() -> None:
    task = OwnSeries()
    for fold in range(10):
        rows = task.fold(fold).rows
        assert rows["test"].tolist() == list(range(300 + 30 * fold, 330 + 30 * fold))
        assert rows["validation"].tolist() == list(range(240 + 30 * fold, 300 + 30 * fold - 32))
        assert rows["train"].tolist() == list(range(32, 240 + 30 * fold - 32))
    assert task.fold(None).rows["train"].tolist() == task.fold(0).rows["train"].tolist()
    groups = task.data("test", 0, 0).groups
    assert groups is not None and groups[0] == "040 from 2022-10-30" and len(set(groups.tolist())) == 4


@pytest.mark.parametrize("predict", ["change", "level", "class"])
def test_what_comes_after_a_split_changes_nothing_in_it(own: Tasks, predict: str) -> None:
    y, x = walk(600), walk(600, 1)
    label = np.array(["b", "a"])[(y > np.roll(y, 3)).astype(int)]
    target, other = (label, label[::-1]) if predict == "class" else (y, 900 - 7.0 * y)

    def found(upto: int) -> dict[str, str]:
        """Fingerprints with everything from a row on made different."""
        later = np.arange(600) >= upto
        columns = {
            "at": np.arange(600),
            "y": np.where(later, other, target),
            "x": np.where(later, 1000 - x, x),
        }
        task = own(columns, predict=predict, inputs_columns=("x",))
        cells = [(split, fold) for fold in (None, 2) for split in SPLITS[: 2 if fold is None else 3]]
        return {f"{split} {fold}": fingerprint(task.data(split, 0, fold)) for split, fold in cells}

    before = found(600)
    assert found(450) == before, "fold 2 tests rows 400 to 449"
    assert found(449)["test 2"] != before["test 2"]
    task = own({"at": range(600), "y": y, "x": x}, inputs_columns=("x",))
    ends = {split: int(task.fold(2).rows[split].max()) + 1 for split in SPLITS}
    changed = found(ends["validation"])
    assert changed["train 2"] == before["train 2"] and changed["validation 2"] == before["validation 2"]
    assert changed["test 2"] != before["test 2"]
    changed = found(ends["train"])
    assert changed["train 2"] == before["train 2"] and changed["validation 2"] != before["validation 2"]


def test_scales_know_train_rows_only_and_are_numpys(own: Tasks) -> None:
    y = walk(600) + 1e5
    task = own({"at": range(600), "y": y}, horizon=4)
    for fold in (None, 3):
        known = y[: task.fold(fold).rows["train"][-1] + 1]
        scale = task.scales(fold)
        assert scale.mean[0, 0] == pytest.approx(known.mean()) and scale.sd[0, 0] == pytest.approx(known.std())
        assert scale.change_sd[0, 0] == pytest.approx(np.diff(known).std())
        assert scale.horizon_sd[0, 0] == pytest.approx((known[4:] - known[:-4]).std())
        assert task.data("train", 0, fold).targets.std() == pytest.approx(1.0, abs=0.05)


def test_an_input_that_never_changes_is_no_harm(own: Tasks) -> None:
    task = own({"at": range(500), "y": walk(500), "x": [0.1] * 500}, inputs_columns=("x",))
    assert (task.data("train", 0).inputs[:, :, 3:] == 0).all() and task.scales().sd[0, 1] == 1.0


def test_many_windows_are_thinned_evenly_and_from_all_series(own: Tasks, monkeypatch: pytest.MonkeyPatch) -> None:
    fewer: dict[SplitName, int] = {"train": 300, "validation": 40, "test": 50}
    for split in SPLITS:
        monkeypatch.setitem(windows.MOST, split, fewer[split])
    frame = pd.concat(
        [pd.DataFrame({"at": range(600), "shop": f"s{shop}", "y": walk(600, shop)}) for shop in range(5)]
    ).sort_values("at", kind="stable")
    task = own(frame, series="shop")
    fold, table = task.fold(5), task.table()
    assert {split: len(rows) for split, rows in fold.rows.items()} == {"train": 300, "validation": 40, "test": 50}
    assert fold.found["test"] == 5 * 50 and fold.found["train"] > 2000
    times = table.times[fold.rows["train"]]
    assert (np.diff(times) >= 0).all() and np.diff(times).max() <= 2 * np.ptp(times) / 300 + 1
    assert np.bincount(table.series[fold.rows["train"]], minlength=5).min() > 30, "no series is passed over"
    assert any("train parts with more than 300 windows are thinned" in line for line in task.notes())


@given(rows=st.integers(0, 500), most=st.integers(1, 500))
def test_thinning_keeps_order_and_leaves_no_hole(rows: int, most: int) -> None:
    kept = thinned(np.arange(rows), most)
    assert len(kept) == min(rows, most) and (np.diff(kept) > 0).all()
    assert rows == 0 or np.diff(kept, prepend=0, append=rows - 1).max() <= 2 * max(1.0, rows / most) + 1


# --- references -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("horizon", [1, 7, 9])
@pytest.mark.parametrize("predict", ["change", "level"])
def test_naive_forecasts_are_those_computed_by_hand(own: Tasks, predict: str, horizon: int) -> None:
    y = (walk(600) + 5.0 * (np.arange(600) % 7)).round(3)
    task = own({"at": range(600), "y": y}, predict=predict, horizon=horizon, season=7)
    train, test, rows = task.data("train", 0, 4), task.data("test", 0, 4), task.fold(4).rows["test"]
    scale = (task.scales(4).horizon_sd if predict == "change" else task.scales(4).sd)[0, 0]
    found = task.baselines(train, test)
    back = 7 if horizon <= 7 else 14
    assert found["last value"] == pytest.approx(np.mean(((y[rows] - y[rows - horizon]) / scale) ** 2), rel=1e-4)
    assert found["seasonal naive"] == pytest.approx(np.mean(((y[rows] - y[rows - back]) / scale) ** 2), rel=1e-4)
    assert found["linear"] < task.trivial_loss(train, test)


def test_a_season_out_of_reach_has_no_naive_forecast(own: Tasks) -> None:
    task = own({"at": range(500), "y": walk(500)}, season=10)
    assert set(task.baselines(task.data("train", 0), task.data("validation", 0))) == {"last value", "linear"}
    assert baselines.seasonal_lag(8, 1, 8) == 7 and baselines.seasonal_lag(9, 1, 8) is None
    assert baselines.seasonal_lag(0, 1, 8) is None


def test_linear_finds_a_linear_rule_and_leaves_noise_alone(own: Tasks) -> None:
    y = np.zeros(900)
    noise = np.random.default_rng(5).normal(size=900)
    for row in range(2, 900):
        y[row] = 1.2 * y[row - 1] - 0.7 * y[row - 2] + noise[row]
    task = own({"at": range(900), "y": y}, predict="level")
    train, test = task.data("train", 0, 5), task.data("test", 0, 5)
    floor = np.mean(noise[task.fold(5).rows["test"]] ** 2) / task.scales(5).sd[0, 0] ** 2
    assert task.baselines(train, test)["linear"] == pytest.approx(floor, rel=0.15)
    task = own({"at": range(900), "y": noise}, predict="level")
    train, test = task.data("train", 0, 5), task.data("test", 0, 5)
    assert task.baselines(train, test)["linear"] < 1.1 * task.trivial_loss(train, test)


def test_class_references(own: Tasks) -> None:
    """A chain that mostly stays where it is: the table of what follows what is close to its entropy."""
    generator = np.random.default_rng(2)
    state = np.zeros(3000, dtype=int)
    for row in range(1, 3000):
        state[row] = state[row - 1] if generator.random() < 0.85 else generator.integers(3)
    task = own({"at": range(3000), "y": np.array(["a", "b", "c"])[state]}, predict="class")
    train, test = task.data("train", 0, 5), task.data("test", 0, 5)
    found, trivial = task.baselines(train, test), task.trivial_loss(train, test)
    stay = 0.85 + 0.05
    entropy = -stay * np.log(stay) - (1 - stay) * np.log((1 - stay) / 2)
    assert found["last class"] == pytest.approx(entropy, abs=0.08) and found["linear"] < found["last class"] + 0.05
    assert trivial == pytest.approx(np.log(3), abs=0.1)
    noise = np.array(["a", "b"])[generator.integers(2, size=900)]
    task = own({"at": range(900), "y": noise, "x": walk(900)}, predict="class", inputs_columns=("x",))
    train, test = task.data("train", 0, 5), task.data("test", 0, 5)
    assert task.baselines(train, test)["linear"] < task.trivial_loss(train, test) + 0.05, "too sure of nothing"


def test_probabilities_sum_to_one() -> None:
    generator = np.random.default_rng(0)
    x, labels = generator.normal(size=(200, 5)), generator.integers(3, size=200)
    said = baselines.discriminant(x, labels, x, 4)
    np.testing.assert_allclose(said.sum(1), 1.0)
    assert (said > 0).all(), "a class that train does not have is unlikely and not impossible"
    split = Split(np.eye(4, dtype=np.float32)[labels][:, None], labels)
    np.testing.assert_allclose(baselines.last_class(split, split, 4).sum(1), 1.0)


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        ({"window": 1}, "window is 1 rows: it must be from 2 to 512"),
        ({"horizon": 0}, "horizon is 0 rows: it must be from 1 to 10,000"),
        ({"season": -1}, "season is -1 rows: it must be at least 0"),
        ({"origins": 5}, "origins is 5 folds: it must be from 6 to 20"),
        (
            {"predict": "class", "horizon": 0, "target_column": "promotion"},
            "must follow from other columns; name some with --inputs",
        ),
        ({"target_column": "sale"}, "there is no column 'sale'; the nearest is 'sales'"),
        ({"predict": "class"}, "column 'sales' has .* classes; past ones are inputs, of which there may be 50"),
        ({"predict": "rank"}, "predict is 'rank': it must be one of 'change', 'level', 'class'"),
    ],
)
def test_settings_that_make_no_task_are_one_line(parameters: dict[str, object], line: str) -> None:
    with pytest.raises(registry.TaskParameterError, match=line) as told:
        registry.create("own_series", parameters)
    assert str(told.value).isprintable()


def test_too_short_says_how_many_rows_or_which_window_would_do(own: Tasks) -> None:
    with pytest.raises(ValueError, match="too short") as told:
        own({"at": range(300), "y": walk(300)}, window=30, origins=10)
    said = str(told.value)
    assert "of 300 rows, the train part of fold 0 gets 60 windows of 30 rows and needs 100" in said
    rows, window = map(int, re.findall(r"give about (\d+) rows, or a window of at most (\d+)", said)[0])
    own({"at": range(rows), "y": walk(rows)}, window=30, origins=10)
    own({"at": range(300), "y": walk(300)}, window=window, origins=10)
    with pytest.raises(ValueError, match=r"gets \d+ windows of 8 rows and needs \d+; give about [\d,]+ rows$"):
        own({"at": range(50), "y": walk(50)})


@given(
    window=st.integers(2, 200), horizon=st.integers(1, 50), origins=st.integers(6, 20), shops=st.sampled_from([1, 1, 4])
)
def test_the_rows_that_are_said_to_be_needed_are_enough_and_not_too_many(
    window: int, horizon: int, origins: int, shops: int
) -> None:
    needed = checks.rows_needed(window, horizon, origins, shops)

    def lacks(rows: int) -> bool:
        each = rows // shops
        table = reading.Table(
            columns=("y",),
            values=np.tile(walk(each), shops)[:, None],
            labels=None,
            classes=(),
            series=np.repeat(np.arange(shops), each),
            series_names=tuple("abcd"[:shops]),
            times=np.tile(np.arange(each), shops),
            dated=False,
            step=1,
            breaks=np.zeros(each * shops, dtype=bool),
            notes=(),
        )
        layout = windows.lay_out.__wrapped__(table, window, horizon, origins, False)
        return checks._shortest(layout) is not None

    assert not lacks(int(1.1 * needed) + 8 * origins) and lacks(int(0.8 * needed))


@pytest.mark.parametrize(
    ("predict", "y", "line"),
    [
        (
            "level",
            np.where(np.arange(600) < 400, 3.0, walk(600)),
            "column 'y' is constant in all of fold 0's train part",
        ),
        (
            "change",
            np.where(np.arange(600) < 400, 0.1 * np.arange(600), walk(600)),
            "changes by the same amount, if at all,",
        ),
        ("class", np.where(np.arange(600) < 400, "a", "b"), "column 'y' is 'a' in all of the first train part, until"),
    ],
)
def test_a_target_that_never_varies_in_train_is_refused(own: Tasks, predict: str, y: np.ndarray, line: str) -> None:
    with pytest.raises(ValueError, match=line):
        own({"at": range(600), "y": y}, predict=predict)


def test_a_flat_series_among_others_is_left_out_and_it_is_said(own: Tasks) -> None:
    frame = pd.concat(
        [pd.DataFrame({"at": range(500), "shop": f"s{shop}", "y": walk(500, shop) * (shop > 0)}) for shop in range(3)]
    )
    task = own(frame, series="shop")
    assert task.fold(0).left_out.tolist() == [True, False, False]
    assert 0 not in task.table().series[task.fold(0).rows["train"]]
    assert any("up to 1 series are left out of a fold" in line for line in task.notes())
    with pytest.raises(ValueError, match="3 of 3 series are left out of fold 0"):
        own(frame.assign(y=np.where(frame["at"] < 450, 1.0, frame["y"] + frame["at"])), series="shop")


# --- for people -------------------------------------------------------------------------------------------------------


def test_the_example_file_is_made_up_by_the_code_beside_it() -> None:
    assert EXAMPLE.read_text() == example.table()


def test_notes_say_what_was_done() -> None:
    task = OwnSeries(season=7, inputs_columns=("temperature",))
    notes = task.notes()
    assert notes[:4] == [
        "the example, a made-up shop: 600 rows, 2022-01-03 to 2023-08-25, mostly 1 day apart",
        "asked: the change of sales, 1 row ahead, from windows of 32 rows",
        "inputs of a row: change, distance to the last row and level of sales, temperature; scaled by train rows of "
        "its own series alone",
        "season: 7 rows",
    ]
    assert notes[4:6] == [
        "10 walk-forward folds, no row in two parts of one; each trains on more than the one before",
        "first fold, which tunes: train 176 windows to 2022-07-29, validation 28 windows 2022-08-31 to 2022-09-27, "
        "test 30 windows 2022-10-30 to 2022-11-28",
    ]
    assert notes[6].startswith("last fold: train 446 windows")
    assert "warning, few data: the first fold trains on 176 windows; depths will probably stay undecided" in notes
    assert all(line.isprintable() for line in notes)


@pytest.mark.parametrize("predict", ["change", "level"])
def test_losses_in_the_targets_own_unit(own: Tasks, predict: str) -> None:
    y = walk(600)
    task = own({"at": range(600), "y": y}, predict=predict)
    scales = [(task.scales(k).horizon_sd if predict == "change" else task.scales(k).sd)[0, 0] for k in range(6)]
    assert task.in_own_unit(0.25) == f"{0.5 * np.mean(scales):.3g} in the unit of y (root mean squared error)"


def test_examples_are_in_the_files_unit_and_fit_a_screen(own: Tasks) -> None:
    lines = OwnSeries(season=7).example().splitlines()
    table = pd.read_csv(EXAMPLE, index_col="date")
    asked = next(line for line in lines if line.startswith("Asked"))
    day = asked.removeprefix("Asked: sales of ")
    assert lines[-1] == f"  what came: {table['sales'][day]:g}"
    assert f"  seasonal naive: {table['sales'].shift(7)[day]:g}" in lines
    assert f"  last value: {table['sales'].shift(1)[day]:g}" in lines
    long = "a very long name\twith a tab, and more of it " * 5
    frame = {"at": pd.date_range("2024-01-01", periods=500, freq="37s"), long: walk(500), "shop": long}
    said = own(frame, target_column=long.strip(), series="shop").example()
    assert all(line.isprintable() and len(line) <= 120 for line in said.splitlines()), said


# --- identity ---------------------------------------------------------------------------------------------------------


def test_where_the_file_lies_is_no_part_of_what_it_is(tmp_path: Path) -> None:
    moved = tmp_path / "moved.csv"
    moved.write_bytes(EXAMPLE.read_bytes())
    here, there = OwnSeries(), OwnSeries(path=str(moved))
    assert OwnSeries.locations == ("path",) and here.data_digest() == there.data_digest()
    assert fingerprint(here.data("train", 0)) == fingerprint(there.data("train", 0))
    moved.write_text(EXAMPLE.read_text() + "2023-08-26,1,1,1\n")
    assert OwnSeries(path=str(moved)).data_digest() != here.data_digest()


def test_the_digest_of_the_task_covers_the_modules_that_make_its_data() -> None:
    followed = {name for name, _ in registry._helpers(Path(series.__file__))}
    assert {
        f"tasks.own.{name}" for name in ("baselines", "columns", "files", "reading", "rows", "times", "windows")
    } <= followed
