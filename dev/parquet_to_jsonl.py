#!/usr/bin/env python3
"""Parquet files as JSONL on the standard output: one object a line, in the order of the rows, for ./prepare and ./score.

usage: dev/parquet_to_jsonl.py FILE.parquet... > rows.jsonl
Memory does not grow with the files: a few rows are held at a time. Lists, structs and maps stay nested, dates and times become ISO
texts, decimals become texts, bytes must be UTF-8; NaN and infinities have no JSON and are refused. Needs: pip install pyarrow.
"""
import datetime
import decimal
import json
import math
import os
import sys

try:
    import pyarrow
    import pyarrow.parquet
except ImportError:
    sys.exit("parquet_to_jsonl.py: Parquet is read with pyarrow, which is not installed: pip install pyarrow")

BATCH_ROWS = 256
TIMES = (datetime.date, datetime.time)                          # a datetime is a date


class BadValue(Exception):
    pass


def plain(value):
    """The value with nothing in it that JSON does not have."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise BadValue(f"{value} is not a JSON number; replace it, by null for example")
        return value
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError as error:
            raise BadValue(f"bytes that are not UTF-8 ({error.reason} at byte {error.start}); leave the column out") from None
    if isinstance(value, dict):
        return {name: plain(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):                        # a map is a list of pairs
        return [plain(entry) for entry in value]
    if isinstance(value, TIMES):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return str(value)
    raise BadValue(f"a {type(value).__name__} has no JSON; leave the column out")


def check_names(names, path):
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadValue(f"{path}: two columns are called {twice[0]!r}; rename one")


def values_of(column, where):
    try:
        return column.to_pylist()
    except ValueError as error:                                 # texts that are not UTF-8, among others
        raise BadValue(f"{where}: {error}; leave the column out") from None


def rows_of(path):
    """Row after row of a file: its number, from 1, and its values as a dictionary."""
    # pre_buffer would read the row groups ahead and keep all of them
    with pyarrow.parquet.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20, page_checksum_verification=True) as file:
        names = file.schema_arrow.names
        check_names(names, path)
        done = 0
        for batch in file.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
            rows = f"rows {done + 1} to {done + batch.num_rows}"
            columns = [values_of(column, f"{path}: column {name!r}, {rows}") for name, column in zip(names, batch.columns)]
            for index, values in enumerate(zip(*columns), start=done + 1):
                yield index, dict(zip(names, values))
            done += batch.num_rows


def convert(path, out):
    for number, row in rows_of(path):
        for name, value in row.items():
            try:
                row[name] = plain(value)
            except BadValue as error:
                raise BadValue(f"{path}: column {name!r}, row {number}: {error}") from None
        out.write(json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8") + b"\n")


def convert_all(paths, out):
    for path in paths:
        try:
            convert(path, out)
        except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError) as error:
            raise BadValue(f"{path}: not a Parquet file that pyarrow can read ({str(error).splitlines()[0]})") from None
    out.flush()


def main(paths):
    if not paths or paths[0] in ("-h", "--help"):
        print(__doc__.strip(), file=sys.stdout if paths else sys.stderr)
        return 0 if paths else 2
    try:
        convert_all(paths, sys.stdout.buffer)
    except BrokenPipeError:                                     # the reader had enough; nothing may complain at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (BadValue, OSError) as error:
        print(f"parquet_to_jsonl.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
