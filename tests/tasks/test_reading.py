"""A person's file: what is read, and one clear line for what cannot be."""

import bz2
import gzip
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.own import files, reading, rows
from tasks.own.defaults import season_of, window_for
from tasks.own.reading import SeriesError, Table, digest, read

DAYS = "date,sales,heat\n2024-01-01,1,5\n2024-01-02,2,6\n2024-01-03,4,7\n"
DAY = 86_400 * 10**9

Reads = Callable[..., Table]


@pytest.fixture
def reads(tmp_path: Path) -> Reads:
    def call(content: str | bytes, name: str = "shop.csv", **asked: object) -> Table:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        reading._tables.clear()
        return read(path, **{"target": "sales", "time": "date", **asked})  # type: ignore[arg-type]

    return call


# --- what is read -----------------------------------------------------------------------------------------------------


def test_a_table_of_days(reads: Reads) -> None:
    table = reads(DAYS, inputs=("heat",))
    assert table.columns == ("sales", "heat") and table.values.tolist() == [[1, 5], [2, 6], [4, 7]]
    assert table.dated and table.step == DAY and table.span_text(table.step) == "1 day"
    assert [table.time_text(time) for time in table.times] == ["2024-01-01", "2024-01-02", "2024-01-03"]
    assert table.series.tolist() == [0, 0, 0] and table.series_names == ("",) and not table.breaks.any()
    assert table.labels is None and table.classes == () and table.notes == ()
    with pytest.raises(ValueError, match="read-only"):
        table.values[0, 0] = 9.0


PACKED = gzip.compress(DAYS.encode(), mtime=0)
"""Of no second: what carries the time it was made is another name of a test for each of their processes."""


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("a.csv", DAYS.encode()),
        ("a.csv", DAYS.encode("utf-8-sig")),
        ("a.csv", (DAYS + "\n\n").replace("\n", "\r\n").encode()),
        ("a.csv.gz", PACKED),
        ("a.csv.bz2", bz2.compress(DAYS.encode())),
        ("a.csv.xz", lzma.compress(DAYS.encode())),
        ("a.csv", DAYS.replace(",", " , ").encode()),
        ("a.csv", ('"date","sales","heat"' + DAYS.removeprefix("date,sales,heat")).encode()),
    ],
)
def test_the_same_table_however_it_is_packed(reads: Reads, name: str, packed: bytes) -> None:
    assert reads(packed, name, inputs=("heat",)).values.tolist() == [[1, 5], [2, 6], [4, 7]]


def test_other_separators_and_encodings(reads: Reads) -> None:
    foreign = DAYS.replace("heat", "W\u00e4rme").replace(",", "\t")
    for encoding in ("cp1252", "utf-16", "utf-8"):
        for separator in ("\t", "\\t", "tab"):
            table = reads(foreign.encode(encoding), inputs=("W\u00e4rme",), separator=separator, encoding=encoding)
            assert table.values.tolist() == [[1, 5], [2, 6], [4, 7]]


def test_a_zip_file_holds_one_table(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", DAYS)
    assert read(path, target="sales", time="date").values[:, 0].tolist() == [1, 2, 4]
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("b.csv", DAYS)
    with pytest.raises(SeriesError, match="the archive holds 2 files; give one with the table alone"):
        read(path, target="sales", time="date")


def test_parquet_is_read_as_csv_is(tmp_path: Path) -> None:
    path, moments = tmp_path / "a.parquet", pd.date_range("2024-01-01", periods=50, freq="h", tz="Europe/Berlin")
    frame = pd.DataFrame({"at": moments, "y": np.arange(50) % 7, "flag": np.arange(50) % 2 == 0, "name": ["x"] * 50})
    frame.to_parquet(path, row_group_size=8)
    shares: list[float] = []
    table = read(path, target="y", inputs=("flag",), time="at", progress=shares.append)
    assert table.values.tolist() == [[k % 7, (k + 1) % 2] for k in range(50)]
    assert table.step == DAY // 24 and table.time_text(table.times[0]) == "2023-12-31 23:00", "times are UTC"
    assert shares == sorted(shares) and shares[-1] == 1.0
    with pytest.raises(SeriesError, match=r"a\.parquet: row 1: column 'name' is 'x', which is not a number"):
        read(path, target="y", inputs=("name",))
    with pytest.raises(SeriesError, match="row 1: column 'at' is '2024-01-01 .*', which is not a number"):
        read(path, target="at")
    frame.assign(y=[np.nan, *range(49)]).to_parquet(path)
    with pytest.raises(SeriesError, match="row 1: column 'y' is empty or NaN"):
        read(path, target="y")
    path.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(SeriesError, match="this Parquet file cannot be read"):
        read(path, target="y")


def test_several_series_are_grouped_as_they_first_come(reads: Reads) -> None:
    table = reads("date,sales,shop\n1,1,west\n1,2,NA\n2,3,west\n2,4,NA\n", series="shop")
    assert table.series_names == ("west", "NA") and table.series.tolist() == [0, 0, 1, 1]
    assert table.values[:, 0].tolist() == [1, 3, 2, 4] and table.times.tolist() == [1, 2, 1, 2]


def test_rows_are_counted_where_there_is_no_time(reads: Reads, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "sales,shop\n1,a\n2,b\n3,a\n,b\n5,b\n6,a\n"
    for cells in (2, 1000):
        monkeypatch.setattr(files, "CELLS", cells)
        table = reads(text, time="", series="shop", missing="drop")
        assert table.times.tolist() == [0, 1, 2, 0, 2] and not table.dated, "a dropped row counts"
        assert table.notes == ("1 row with missing or infinite values dropped",)


def test_rows_without_a_time_are_dropped_on_request(reads: Reads) -> None:
    for time in ("", "NA"):
        table = reads(DAYS + f"{time},5,5\n2024-01-04,6,6\n", missing="drop")
        assert table.values[:, 0].tolist() == [1, 2, 4, 6] and len(table.notes) == 1


def test_of_a_long_file_the_latest_rows_are_kept(reads: Reads, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that memory is bounded: here chunks of one row, and five rows kept."""
    monkeypatch.setattr(files, "CELLS", 2)
    monkeypatch.setattr(rows, "MOST_ROWS", 5)
    text = "date,sales\n" + "".join(f"{day},{day * day}\n" for day in range(40))
    table = reads(text, inputs=())
    assert table.values[:, 0].tolist() == [day * day for day in range(35, 40)]
    assert table.notes == ("only the latest 5 of 40 rows are used",)
    several = "date,sales,shop\n" + "".join(f"{day},{day},{day % 2}\n" for day in range(40))
    with pytest.raises(SeriesError, match="more than 5 rows of several series; leave out"):
        reads(several, series="shop")


def test_a_lone_dot_is_no_value_as_statistical_offices_write_it(reads: Reads) -> None:
    with pytest.raises(SeriesError, match="line 5: column 'sales' is empty or NaN"):
        reads(DAYS + "2024-01-04,.,6\n")
    assert len(reads(DAYS + "2024-01-04,.,6\n", missing="drop").values) == 3


def test_classes_are_in_natural_order_and_may_be_called_anything(reads: Reads) -> None:
    assert reads("date,sales\n1,10\n2,9\n3,10\n", classify=True).classes == ("9", "10")
    table = reads("date,sales\n1,up\n2,NA\n3,down\n", classify=True)
    assert table.classes == ("NA", "down", "up") and table.labels is not None and table.labels.tolist() == [2, 0, 1]
    assert table.columns == () and table.values.shape == (3, 0)


@pytest.mark.parametrize(
    ("times", "first", "step"),
    [
        (["2024-01-31", "2024-02-01", "2024-02-02"], "2024-01-31", "1 day"),
        (["2024-01-31 10:00", "2024-01-31 10:15", "2024-01-31 10:30"], "2024-01-31 10:00", "15 minutes"),
        (["2024-01-31", "2024-01-31 12:00", "2024-02-01"], "2024-01-31", "12 hours"),
        (["2024-01-31T10:00:00+02:00", "2024-01-31T09:00:00Z", "2024-01-31T10:00:00Z"], "2024-01-31 08:00", "1 hour"),
        (["01.02.2024", "02.02.2024", "03.02.2024"], "2024-02-01", "1 day"),
        (["30.01.2024", "31.01.2024", "01.02.2024"], "2024-01-30", "1 day"),
        (["1/30/2024", "1/31/2024", "2/1/2024"], "2024-01-30", "1 day"),
        (["Jan 2024", "Feb 2024", "Mar 2024"], "2024-01-01", "30 days"),
        (["20240130", "20240131", "20240201"], "2024-01-30", "1 day"),
        (["202311", "202312", "202401"], "2023-11-01", "30.5 days"),
        (["1999", "2000", "2001"], "1999", "1"),
        (["1700000000000000001", "1700000000000000002", "1700000000000000003"], "1700000000000000001", "1"),
        (["0.5", "0.75", "1"], "0.5", "0.25"),
        (["2024-01-31 10:00:00.5", "2024-01-31 10:00:01", "2024-01-31 10:00:01.5"], "2024-01-31 10:00:00.5", "0.5"),
    ],
)
def test_dates_and_numbers_of_a_time_column(reads: Reads, times: list[str], first: str, step: str) -> None:
    table = reads("date,sales\n" + "".join(f"{time},{k}\n" for k, time in enumerate(times)))
    assert table.time_text(table.times[0]) == first
    assert table.span_text(table.step).startswith(step)
    assert all("%d.%m.%Y" in note for note in table.notes)


def test_dates_that_can_be_read_in_two_ways_are_read_as_the_more_even_and_it_is_said(reads: Reads) -> None:
    months = [f"01/{month:02d}/{year}" for year in (2023, 2024) for month in range(1, 13)]
    table = reads("date,sales\n" + "".join(f"{month},{k}\n" for k, month in enumerate(months)))
    assert table.time_text(table.times[-1]) == "2024-12-01" and season_of(table) == 12
    assert table.notes == ("dates such as 01/01/2023 can be read in two ways; they were read as %d/%m/%Y",)


def test_gaps_split_on_request(reads: Reads) -> None:
    table = reads(DAYS + "2024-01-08,5,1\n2024-03-01,6,1\n2024-03-02,7,1\n", gaps="split")
    assert table.breaks.tolist() == [False, False, False, False, True, False], "five days are within ten usual steps"
    assert table.notes == ("1 gap found, which no window spans; the first is 53 days after 2024-01-08",)


# --- big files --------------------------------------------------------------------------------------------------------


def test_chunks_give_the_same_table_as_reading_all_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, path = 200_000, tmp_path / "long.csv"
    generator = np.random.default_rng(3)
    written = pd.DataFrame(
        {
            "at": np.repeat(np.arange(rows // 2), 2),
            "shop": np.tile(["a", "b"], rows // 2),
            "y": generator.normal(size=rows).round(4),
            "other": 1.5,
            "x": generator.integers(0, 9, rows),
        }
    )
    written.to_csv(path, index=False)
    monkeypatch.setattr(files, "CELLS", 200_000)
    held, chunks = [], files.Csv.chunks

    def watched(self: files.Csv, *columns: list[str]) -> object:
        for chunk in chunks(self, *columns):
            held.append(chunk.frame.shape)
            yield chunk

    monkeypatch.setattr(files.Csv, "chunks", watched)
    shares: list[float] = []
    table = read(path, target="y", inputs=("x",), time="at", series="shop", progress=shares.append)
    assert held == [(40_000, 4)] * 5, "a chunk has 200,000 cells, of which the wanted columns are kept"
    assert len(shares) == 6 and shares == sorted(shares) and 0 < shares[0] < 0.5 and shares[-1] == 1.0
    expected = pd.read_csv(path).sort_values("shop", kind="stable")
    assert (table.values == expected[["y", "x"]].to_numpy(float)).all() and (table.times == expected["at"]).all()
    assert (table.series == (expected["shop"] == "b")).all()


@given(cells=st.integers(1, 40), blank=st.integers(0, 3), drop=st.sets(st.integers(0, 9)), ends=st.integers(0, 3))
def test_no_size_of_chunks_changes_what_is_read_or_said(
    tmp_path_factory: pytest.TempPathFactory, cells: int, blank: int, drop: set[int], ends: int
) -> None:
    rows = [f"{10 + k},{'' if k in drop else k}\n" for k in range(10)]
    text = "at,y\n" + "".join(rows[:5]) + "\n" * blank + "".join(rows[5:]) + "\n" * ends
    path = tmp_path_factory.mktemp("chunks") / "a.csv"
    path.write_text(text)
    found = []
    for size in (10_000, cells):
        reading._tables.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files, "CELLS", size)
            try:
                table = read(path, target="y", time="at", missing="drop" if len(drop) % 2 else "refuse")
                found.append((table.values.tolist(), table.times.tolist(), table.notes))
            except SeriesError as error:
                found.append(str(error))  # type: ignore[arg-type]
    assert found[0] == found[1]
    if len(drop) % 2 and len(drop) < 9:
        lost = len(drop) + blank
        assert found[0][2] == (f"{lost} row{'s' * (lost > 1)} with missing or infinite values dropped",)


def test_a_quotation_mark_that_swallows_the_file_is_told_early(reads: Reads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LONGEST_CHUNK", 500_000)
    with pytest.raises(SeriesError, match="is a quotation mark not closed"):
        reads(DAYS + '2024-01-04,"1,1\n' + "2024-01-05,1,1\n" * 100_000)
    monkeypatch.setattr(files, "LONGEST_LINE", 1000)
    with pytest.raises(SeriesError, match="line 1 has over a million characters; this is no table"):
        reads("x" * 2000)


def test_a_table_is_read_once_while_the_file_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(DAYS)
    first = read(path, target="sales", time="date")
    assert read(str(path), target="sales", time="date") is first
    assert read(path, target="heat", time="date") is not first
    assert len(reading._tables) <= 2
    path.write_text(DAYS + "2024-01-04,3,3\n")
    assert len(read(path, target="sales", time="date").times) == 4


def test_the_digest_is_that_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(DAYS)
    (tmp_path / "b.csv.gz").write_bytes(PACKED)
    (tmp_path / "c.csv").write_text(DAYS.replace("4", "5"))
    a, b, c = (digest(tmp_path / name) for name in ("a.csv", "b.csv.gz", "c.csv"))
    assert a == b != c and len(a) == 64
    (tmp_path / "a.csv").write_text(DAYS.replace("7", "77"))
    assert digest(tmp_path / "a.csv") != a
    with pytest.raises(SeriesError, match="nothing.csv: there is no such file"):
        digest(tmp_path / "nothing.csv")


# --- one line for each fault ------------------------------------------------------------------------------------------

DROP = "fill it in, or leave such rows out with --missing drop"
PLAIN = "write plain numbers, with a point and without units"
TELL = ", or name the column that tells several series apart with --series"
FAULTS: dict[str, tuple[str | bytes, dict[str, object], str]] = {
    "no such column": (
        DAYS,
        {"target": "Sale"},
        ": there is no column 'Sale'; the nearest is 'sales' (all: date, sales, heat)",
    ),
    "no such time": (
        DAYS,
        {"time": "day"},
        ": there is no column 'day'; the nearest is 'date' (all: date, sales, heat)",
    ),
    "two of a name": ("sales,sales\n1,2\n", {}, ": 2 columns are named 'sales'; give each a name of its own"),
    "asked twice": (
        DAYS,
        {"inputs": ("sales",)},
        ": column 'sales' is asked for twice: as target, input, time or series",
    ),
    "text": (
        DAYS + "2024-01-04,none,1\n",
        {},
        ": line 5: column 'sales' is 'none', which is not a number; write plain numbers, or add --classify if it "
        "names classes",
    ),
    "a unit": (DAYS + "2024-01-04,5 kg,1\n", {}, f": line 5: column 'sales' is '5 kg', which is not a number; {PLAIN}"),
    "an input": (
        DAYS + "2024-01-04,5,hot\n",
        {"inputs": ("heat",)},
        f": line 5: column 'heat' is 'hot', which is not a number; {PLAIN}",
    ),
    "a decimal comma": (
        DAYS + '2024-01-04,"1.000,5",1\n',
        {},
        ": line 5: column 'sales' is '1.000,5', which is not a number; write a point for the decimal comma, and "
        "nothing between thousands",
    ),
    "a surplus field": (
        DAYS + "2024-01-04,1,5,1\n",
        {},
        ": line 5 has 4 fields and line 1 names 3; name every column, write numbers with a point, and put text that "
        "holds ',' in quotation marks",
    ),
    "a surplus field at once": (
        "date,sales\n1,2,3\n",
        {},
        ": line 2 has 3 fields and line 1 names 2; name every column, write numbers with a point, and put text that "
        "holds ',' in quotation marks",
    ),
    "no date": (
        DAYS + "2024-02-30,1,1\n",
        {},
        ": line 5: column 'date' is '2024-02-30', which cannot be read as a date; dates above it are written %Y-%m-%d; "
        "write dates like 2024-01-31 or 2024-01-31 13:00",
    ),
    "no date at all": (
        "date,sales\nsoon,1\nlater,2\n",
        {},
        ": line 2: column 'date' is 'soon', which cannot be read as a date; write dates like 2024-01-31 or "
        "2024-01-31 13:00",
    ),
    "a date among numbers": (
        "date,sales\n1,1\n2024-01-01,2\n",
        {},
        ": line 3: column 'date' is '2024-01-01', which is not a number, as the times before it are; write all alike",
    ),
    "going back": (
        DAYS + "2024-01-02,1,1\n",
        {},
        ": line 5: 'date' goes back to 2024-01-02, after 2024-01-03 in line 4; sort rows from old to new" + TELL,
    ),
    "twice": (
        DAYS + "2024-01-03,1,1\n",
        {},
        f": line 5: 'date' is 2024-01-03 again, as in line 4; keep one row per time{TELL}",
    ),
    "twice in a series": (
        "date,sales,shop\n1,1,a\n1,1,b\n2,2,b\n1,5,a\n",
        {"series": "shop"},
        ": line 5: 'date' is 1 again of series 'a', as in line 2; keep one row per time",
    ),
    "a gap": (
        DAYS + "2024-03-30,1,1\n2024-03-31,1,1\n",
        {},
        ": line 5: a gap of 87 days after 2024-01-03, where the usual step is 1 day; fill it in, or keep windows from "
        "spanning gaps with --gaps split",
    ),
    "empty": (DAYS + "2024-01-04,,1\n", {}, f": line 5: column 'sales' is empty or NaN; {DROP}"),
    "NaN": (DAYS + "2024-01-04,NaN,1\n", {}, f": line 5: column 'sales' is empty or NaN; {DROP}"),
    "infinite": (DAYS + "2024-01-04,-inf,1\n", {}, f": line 5: column 'sales' is infinite; {DROP}"),
    "no time": (DAYS + ",1,1\n", {}, f": line 5: column 'date' is empty or NaN; {DROP}"),
    "no series": (
        "date,sales,shop\n1,1,a\n2,2,\n",
        {"series": "shop"},
        f": line 3: column 'shop' is empty or NaN; {DROP}",
    ),
    "no class": ("date,sales\n1,up\n2,\n", {"classify": True}, f": line 3: column 'sales' is empty or NaN; {DROP}"),
    "a short row": (DAYS + "2024-01-04\n", {}, f": line 5: column 'sales' is empty or NaN; {DROP}"),
    "an empty line": (DAYS + "\n2024-01-04,1,1\n", {}, f": line 5: the row is empty; {DROP}"),
    "all lacking": ("date,sales\n1,\n2,\n", {"missing": "drop"}, ": every row lacks a value"),
    "constant": ("date,sales\n1,5\n2,5\n", {}, ": column 'sales' is 5 in every row: there is nothing to predict"),
    "one class": (
        "date,sales\n1,up\n2,up\n",
        {"classify": True},
        ": column 'sales' is 'up' in every row: there is nothing to predict",
    ),
    "semicolons": (
        DAYS.replace(",", ";"),
        {},
        ": line 1 has no comma: columns seem to be separated by ';'; add --separator ';'",
    ),
    "tabs": (
        DAYS.replace(",", "\t"),
        {},
        r": line 1 has no comma: columns seem to be separated by '\t'; add --separator '\t'",
    ),
    "a long separator": (
        DAYS,
        {"separator": ", "},
        ": the separator is ', ': it must be one character, or '\\t' for a tab",
    ),
    "another encoding": (
        DAYS.encode() + b"2024-01-04,1,caf\xe9\n",
        {},
        ": line 5 is not utf-8 near '-01-04,1,café?'; try --encoding cp1252",
    ),
    "utf-16": (DAYS.encode("utf-16"), {}, ": the file is not utf-8; add --encoding utf-16"),
    "utf-16 unmarked": (
        DAYS.encode("utf-16-le"),
        {},
        ": line 1 holds zero bytes: no text file, or one that needs --encoding utf-16",
    ),
    "no encoding": (
        DAYS,
        {"encoding": "utf-9"},
        ": there is no encoding 'utf-9'; common ones are utf-8, cp1252, utf-16",
    ),
    "an empty file": ("", {}, ": the file is empty"),
    "an empty first line": ("\n\n1,2\n", {}, ": line 1 is empty; it must name the columns"),
    "a header alone": ("date,sales\n", {}, ": the file has no rows below its header"),
    "an open quotation": (
        DAYS + '2024-01-04,"1,1\n2024-01-05,1,1\n',
        {},
        ": line 5: a quotation mark is opened and never closed",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("cells", [3, 1_000_000])
def test_a_fault_is_one_line(reads: Reads, monkeypatch: pytest.MonkeyPatch, fault: str, cells: int) -> None:
    content, asked, line = FAULTS[fault]
    monkeypatch.setattr(files, "CELLS", cells)
    with pytest.raises(SeriesError) as told:
        reads(content, **asked)
    said = str(told.value)
    assert said[said.index("shop.csv") + len("shop.csv") :] == line
    assert said.isprintable()


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.xlsx", b"PK\3\4", "this is a workbook; save the sheet as CSV and give that"),
        ("a.csv.gz", PACKED[:-10], "the file cannot be unpacked, it is damaged or cut: "),
        ("a.csv.gz", DAYS.encode(), "the file cannot be unpacked, it is damaged or cut: Not a gzipped file"),
        ("a.csv.xz", DAYS.encode(), "the file cannot be unpacked, it is damaged or cut: "),
        ("a.zip", DAYS.encode(), "the file cannot be unpacked, it is damaged or cut: "),
        ("a.csv.bz2", DAYS.encode(), "the file cannot be read: "),
        ("a.csv", bytes(range(256)) * 9, "zero bytes"),
    ],
    ids=["workbook", "cut gzip", "no gzip", "no xz", "no zip", "no bzip2", "zero bytes"],
)
def test_a_file_of_another_kind_is_one_line(reads: Reads, name: str, content: bytes, line: str) -> None:
    with pytest.raises(SeriesError) as told:
        reads(content, name)
    assert line in str(told.value) and str(told.value).isprintable()


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    for path, line in (
        (tmp_path / "no.csv", "there is no such file"),
        (tmp_path, "this is not a file; give one table"),
    ):
        with pytest.raises(SeriesError, match=line):
            read(path, target="y")


def test_lines_are_those_of_an_editor_though_fields_hold_line_ends(reads: Reads) -> None:
    with pytest.raises(SeriesError, match=r"line 6: column 'sales' is 'z'"):
        reads('date,sales,note\n1,1,"a\nb"\n2,2,"c\nd"\n3,z,e\n')


def test_too_many_names_are_told(reads: Reads, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        SeriesError, match="column 'sales' holds more than 1,000 different names; forecast its numbers, without"
    ):
        reads("date,sales\n" + "".join(f"{k},{k / 7}\n" for k in range(1001)), classify=True)
    monkeypatch.setattr("tasks.own.rows.MOST_SERIES", 2)
    with pytest.raises(SeriesError, match="column 'sales' holds more than 2 different names; it must tell"):
        reads(DAYS, target="heat", series="sales")


# --- defaults ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frequency", "season"),
    [("h", 24), ("15min", 96), ("D", 7), ("B", 5), ("W", 52), ("MS", 12), ("QS", 4), ("YS", 0), ("s", 0), ("3h", 0)],
)
def test_the_season_of_dated_rows(tmp_path: Path, frequency: str, season: int) -> None:
    path = tmp_path / "a.csv"
    pd.DataFrame({"y": range(60)}, index=pd.date_range("2020-01-01", periods=60, freq=frequency)).to_csv(path)
    with path.open() as file:
        assert file.readline() == ",y\n"
    path.write_text("at" + path.read_text())
    assert season_of(read(path, target="y", time="at")) == season
    assert season_of(read(path, target="y")) == 0, "rows without dates have none"


def test_the_default_window() -> None:
    assert window_for(10_000, 0) == 32 and window_for(10_000, 7) == 16 and window_for(10_000, 24) == 48
    assert window_for(100_000, 96) == 128 and window_for(600, 24) == 30 and window_for(200, 0) == 10
