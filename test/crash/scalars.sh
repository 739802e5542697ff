#!/usr/bin/env bash
# OUT/tensorboard: what TensorBoard's own reader finds there is log.jsonl, number for number and no step twice, of a run that was
# killed and went on; dev/to_wandb.py and dev/to_trackio.py pass the same on. What Python lacks is said and left out.
. "$(dirname "$0")/common.bash"
tiny_recipe
python=${PYTHON:-python3}
has() { "$python" -c "import $1" 2>/dev/null; }

# OUT: what TensorBoard shows of it, a line for each tag and step; then the log's, as floats. Histograms: their number of values.
read_back() {
    "$python" - "$1" <<-'END'
	import json, math, struct, sys
	from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
	out = sys.argv[1]
	accumulator = EventAccumulator(out + "/tensorboard", size_guidance={"scalars": 0, "histograms": 0}).Reload()
	as_float = lambda v: struct.unpack("f", struct.pack("f", v))[0]
	shown = [(tag, e.step, e.value) for tag in accumulator.Tags()["scalars"] for e in accumulator.Scalars(tag)]
	wanted = []
	for line in open(out + "/log.jsonl"):
	    fields = json.loads(line)
	    for name, value in fields.items():
	        if name not in ("step", "event", "seconds", "memory_bytes"):
	            wanted.append((name, fields["step"], math.nan if value is None else as_float(value)))
	key = lambda row: (row[0], row[1], str(row[2]))
	shown, wanted = sorted(shown, key=key), sorted(wanted, key=key)
	if str(shown) != str(wanted):
	    sys.exit(f"{len(shown)} values are shown, {len(wanted)} are in the log; first difference: "
	             f"{next((p for p in zip(shown, wanted) if str(p[0]) != str(p[1])), 'one list is longer')}")
	for tag in accumulator.Tags()["histograms"]:
	    for e in accumulator.Histograms(tag):
	        print(tag, e.step, int(e.histogram_value.num))
	print("scalars", len(shown))
	END
}

out=$work/run
stopped_run "$out"
kill_now() { # and once more, without a chance to save
    train_in_background "$out"
    sleep 0.2
    kill -9 "$trainer" 2>/dev/null || true
    wait "$trainer" 2>/dev/null || true
}
kill_now
wants 0 train "$out"
files=$(find "$out/tensorboard" -name '*tfevents*' | wc -l)
[ "$files" -ge 2 ] || failed "$files event files of a run of several processes"
wants 0 train "$work/calm"
same_run "$work/calm" "$out" "a run that was stopped and killed has one log"
if has tensorboard; then
    read_back "$out" >"$work/shown" 2>"$work/stderr" || failed "TensorBoard's reader finds other values than log.jsonl has"
    proved "TensorBoard's reader finds log.jsonl in $files files, $(tail -n 1 "$work/shown") and no step twice"
else
    skipped "TensorBoard's own reader: $python has no tensorboard"
fi

hard_problems
wants 0 ./train_rl --model "$work/calm" --data "$work/data/rl" "${rules[@]}" --epochs 1 --prompts-per-step 4 --out "$work/rl" \
    >"$work/stdout" 2>"$work/stderr"
if has tensorboard; then
    read_back "$work/rl" >"$work/shown" 2>"$work/stderr" || failed "of reinforcement learning TensorBoard's reader finds other values"
    [ "$(grep -c '^response_length [0-9]* 16$' "$work/shown")" = "$(grep -c '"reward/mean"' "$work/rl/log.jsonl")" ] ||
        failed "not every step has a histogram of 16 lengths: $(cat "$work/shown")"
    [ "$(grep -c '^advantage [0-9]* 16$' "$work/shown")" -gt 0 ] || failed "there is no histogram of advantages"
    proved "every step of reinforcement learning has its histograms of lengths and advantages"
fi

# offline: nothing leaves the machine. A second pass adds what is new alone.
if has wandb; then
    (cd "$work" && "$python" "$OLDPWD/dev/to_wandb.py" "$out" --folder "$work/wandb") >"$work/stdout" 2>"$work/stderr" || failed "dev/to_wandb.py"
    found=$(find "$work/wandb" -name '*.wandb' | head -n 1)
    [ -n "$found" ] || failed "Weights & Biases has no run"
    "$python" - "$found" "$out/log.jsonl" >"$work/shown" 2>"$work/stderr" <<-'END' || failed "Weights & Biases has other values than log.jsonl"
	import json, sys
	from wandb.proto import wandb_internal_pb2
	# LevelDB's log format behind 7 bytes: pieces of a record (check, length, kind: 1 whole, 2 first, 3, 4 last), none over a block of 32 KiB
	file, at, rows, data = open(sys.argv[1], "rb").read(), 7, [], b""
	while at < len(file):
	    if 32768 - at % 32768 < 7:
	        at += 32768 - at % 32768
	        continue
	    length, kind = int.from_bytes(file[at + 4:at + 6], "little"), file[at + 6]
	    data = (data if kind in (3, 4) else b"") + file[at + 7:at + 7 + length]
	    at += 7 + length
	    if kind not in (1, 4):
	        continue
	    record = wandb_internal_pb2.Record()
	    record.ParseFromString(data)
	    if record.HasField("history"):
	        rows.append({(i.key or ".".join(i.nested_key)): json.loads(i.value_json) for i in record.history.item})
	kept = {}
	for line in open(sys.argv[2]):
	    fields = json.loads(line)
	    kept.setdefault(fields["step"], {}).update({k: v for k, v in fields.items() if k not in ("step", "event") and v is not None})
	shown = {row["_step"]: {k: v for k, v in row.items() if not k.startswith("_")} for row in rows}
	assert shown == kept, (shown, kept)
	print(len(shown))
	END
    proved "Weights & Biases, offline, has log.jsonl: $(cat "$work/shown") steps"
else
    skipped "Weights & Biases: $python has no wandb"
fi
if has trackio; then
    export TRACKIO_DIR=$work/trackio
    "$python" dev/to_trackio.py "$out" --project test --name run >"$work/stdout" 2>"$work/stderr" || failed "dev/to_trackio.py"
    "$python" - "$out/log.jsonl" >"$work/shown" 2>"$work/stderr" <<-'END' || failed "trackio has other values than log.jsonl"
	import json, sys
	from trackio.sqlite_storage import SQLiteStorage
	kept, shown = {}, {}
	for line in open(sys.argv[1]):
	    fields = json.loads(line)
	    kept.setdefault(fields["step"], {}).update({k: v for k, v in fields.items() if k not in ("step", "event") and v is not None})
	for row in SQLiteStorage.get_logs("test", "run"):
	    shown[row["step"]] = {k: v for k, v in row.items() if k not in ("step", "timestamp")}
	assert shown == kept, (shown, kept)
	print(len(shown))
	END
    proved "trackio has log.jsonl: $(cat "$work/shown") steps"
else
    skipped "trackio: $python has no trackio"
fi
