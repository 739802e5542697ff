#!/usr/bin/env bash
# What orders transfers between GPUs is needed, each part of it: without one of them test_link fails. A changed source is linked in the
# place of the library's; nothing in build/ is replaced. That a rank has ended is found twice, by who waits for NCCL and by the watch, so that
# neither is among these. FILE | a line that is in it once | what stands there instead.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=build/simt/mutants
rm -rf "$work" && mkdir -p "$work"
trap 'rm -rf "$work"' EXIT
mutants=$(
    cat <<'END'
the event before a send|sharded/link.c|l->kernels->stream_wait(l->stream, l->behind);|
the wait before a buffer is used again|sharded/sharded.c|return link_wait(&s->link, &s->transfers[s->buffer]);|return true;
the wait before the sums are read|sharded/sharded.c|TRY(link_wait(&s->link, &s->transfers[i]));|;
the wait for updated weights|sharded/sharded.c|return s->link.open ? link_wait(&s->link, t) : m->kernels->synchronize(NULL);|return s->link.open ? true : m->kernels->synchronize(NULL);
the wait for a layer's weights|sharded/sharded.c|link_wait(&s->link, &s->transfers[LAYER_WEIGHTS + layer % 2])|true
the end of a group|ranks/nccl.c|Result end = lib.ncclGroupEnd();|Result end = SUCCESS;
the question after the end of a group|ranks/nccl.c|while (result == IN_PROGRESS) {|while (false) {
the question after an error|ranks/nccl.c|Result asked = lib.ncclCommGetAsyncError(n->comm, state);|Result asked = *state = SUCCESS;
a sum behind what it adds|sharded/sharded.c|k->accumulate(l->stream, m->sums|k->accumulate(NULL, m->sums
a buffer's zeros behind its sending|sharded/sharded.c|k->zero(l->stream, gradients|k->zero(NULL, gradients
an end behind the operations|sharded/link.c|l->kernels->event_record(l->stream, t->done);|l->kernels->event_record(NULL, t->done);
the same order on rank 1|sharded/sharded.c|const ShardUnit *u = &m->sharding.units[layer + 1];|const ShardUnit *u = &m->sharding.units[m->sharding.rank == 1 && layer < 2 && layer >= 0 ? 2 - layer : layer + 1];
END
)
failed=0
while IFS='|' read -r what file from to; do
    [ "$(grep -cF -- "$from" "$file")" = 1 ] || { echo "FAILED: $file has not one line with: $from" && exit 1; }
    pattern=$(printf '%s' "$from" | sed 's/[][\.*^$|]/\\&/g')
    to=$(printf '%s' "$to" | sed 's/[\\&|]/\\&/g')
    sed "s|$pattern|$to|" "$file" >"$work/mutant.c"
    ${CC:-gcc} -std=c11 -D_GNU_SOURCE -I. -O1 -fopenmp -c "$work/mutant.c" -o "$work/mutant.o"
    ${CXX:-g++} -fopenmp -Wl,--export-dynamic-symbol=simt_stream_push,--export-dynamic-symbol=simt_move "-Wl,-rpath,\$ORIGIN/.." \
        -o "$work/test_link" build/simt/race/test_link.o "$work/mutant.o" build/simt/race/open.o build/simt/race/libkernels.a \
        build/simt/race/libsimt.a build/libdereason.a -ljansson -lpcre2-8 -lutf8proc -lxxhash -lcmocka -lm
    tests='every_number*'
    case $what in *error) tests='ranks_that*' ;; esac
    if LINK_PATIENCE=5 timeout 100 "$work/test_link" "$tests" >"$work/output" 2>&1; then
        echo "FAILED: nobody misses $what"
        failed=1
    else
        echo "ok: without $what the test fails: $(grep -m 1 FAILED "$work/output" || echo 'it does not end')"
    fi
done <<<"$mutants"
exit $failed
