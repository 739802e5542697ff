#!/usr/bin/env bash
# What the kernels for Hopper wait for, fence and count is needed, each part of it: without one of them the tests of attention or products fail. A
# changed source is linked in the place of the library's; nothing in build/ is replaced. FILE | a line or a part of one, in it once (or: the
# N-th of several, N:) | what stands there instead. With --list only the names; with a pattern only those mutants.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=build/simt/hopper_mutants.$$
mkdir -p "$work"
trap 'rm -rf "$work"' EXIT
mutants=$(
    cat <<'END'
forward: a fence before the first scores|forward|1:wgmma_fence();|;
forward: a fence before a block's products|forward|2:wgmma_fence();|;
forward: a fence before the last values|forward|4:wgmma_fence();|;
forward: the scores' group closed|forward|2:wgmma_commit();|;
forward: the values' group closed|forward|3:wgmma_commit();|;
forward: the wait for the first scores|forward|1:wgmma_wait<0>();|wgmma_wait<1>();
forward: the wait for a block's scores|forward|wgmma_wait<1>();|wgmma_wait<2>();
forward: the wait for a block's values|forward|2:wgmma_wait<0>();|wgmma_wait<1>();
forward: the wait for the last values|forward|3:wgmma_wait<0>();|wgmma_wait<1>();
forward: the wait for queries|forward|mbarrier_wait(m.barrier(QUERIES_FULL), parity);|;
forward: the wait for keys|forward|mbarrier_wait(m->barrier(KEYS_FULL + m->stage.number), m->stage.parity);|;
forward: the wait for values|forward|mbarrier_wait(m->barrier(VALUES_FULL + old.number), old.parity);|;
keys: the wait for a free stage|shared|mbarrier_wait(stage.empty, stage.parity ^ 1);|;
tiles: the wait for free operands|tile|mbarrier_wait(empty, parity ^ 1);|;
tiles: a barrier behind a number's drawing|tile|barrier_sync(PRODUCERS, threads);|;
forward: keys given back|forward|m->done_with(KEYS_EMPTY + m->stage.number);|;
forward: keys given back after their wait|forward|2:wgmma_commit();|wgmma_commit(); m->done_with(KEYS_EMPTY + m->stage.number);
forward: values given back|forward|m->done_with(VALUES_EMPTY + old.number);|;
forward: a parity that turns|forward|KeyStage old = m->stage;|KeyStage old = m->stage; m->stage.parity = 0;
forward: the stage of the block before|forward|m->tile(Room<D>::VALUES, old.number)|m->tile(Room<D>::VALUES, m->stage.number)
keys: bytes that are expected|shared|mbarrier_expect(stage.full, ROWS * D * 2);|mbarrier_expect(stage.full, ROWS * D);
forward: barriers that copies know|forward|mbarrier_init_fence();|;
keys: a fence behind rows copied by hand|shared|proxy_fence();|;
keys: a barrier before rows are copied by hand|shared|1:barrier_sync(PRODUCERS, HOPPER_THREADS - MULTIPLIERS);|;
keys: a barrier behind rows copied by hand|shared|2:barrier_sync(PRODUCERS, HOPPER_THREADS - MULTIPLIERS);|;
keys: the swizzle of rows copied by hand|shared|((chunk % 8) ^ (r % 8))|(chunk % 8)
forward: a fence behind the tail's zeros|forward|proxy_fence();|;
forward: a barrier behind the tail's zeros|forward|barrier_sync(TAIL_IS_ZERO, MULTIPLIERS);|;
forward: zeros in the tail|forward|if (keys < KEY_BLOCK) {|if (false) {
backward: a fence before the scores|keys|1:wgmma_fence();|;
backward: a fence before the sums|keys|2:wgmma_fence();|;
backward: a fence before dQ|blocks|wgmma_fence();|;
backward: the scores' group closed|keys|1:wgmma_commit();|;
backward: the wait for scores|keys|wgmma_wait<1>();|;
backward: the wait for gradients of weights|keys|1:wgmma_wait<0>();|;
backward: the wait for the sums|keys|2:wgmma_wait<0>();|;
backward: the wait for dQ|blocks|wgmma_wait<0>();|;
backward: the wait for keys|keys|mbarrier_wait(w.barrier(KEYS_FULL), parity);|;
backward: the wait for queries|keys|mbarrier_wait(w->barrier(QUERIES_FULL + w->stage.number), w->stage.parity);|;
backward: the wait for a free stage|keys|1:mbarrier_wait(barriers + 8 * (QUERIES_EMPTY + stage.number), stage.parity ^ 1);|;
backward: who tells waits for a free stage|keys|2:mbarrier_wait(barriers + 8 * (QUERIES_EMPTY + stage.number), stage.parity ^ 1);|;
backward: the wait for blocks of dS|blocks|mbarrier_wait(barriers + 8 * (STAGE_FULL + stage->number), stage->parity);|;
backward: bytes that are expected of blocks|blocks|int halves = (keys < seen[0]) + (keys < seen[1]);|int halves = 2;
backward: arrivals of both loading warps|keys|i >= QUERIES_EMPTY ? MULTIPLIERS / 32 : 2;|i >= QUERIES_EMPTY ? MULTIPLIERS / 32 : 1;
backward: a lane that speaks for its warp's ends|keys|1:__syncwarp();|;
backward: a tile that all of a warp know|keys|2:__syncwarp();|;
backward: a lane that speaks for its warp's reads|keys|4:__syncwarp();|;
backward: a fence behind the tail's zeros|keys|1:proxy_fence();|;
backward: a fence behind dS|keys|2:proxy_fence();|;
backward: a barrier behind the tail's zeros|keys|barrier_sync(TAIL_IS_ZERO, MULTIPLIERS);|;
backward: a barrier before dS is overwritten|keys|1:barrier_sync(MINE + w->me, 128);|;
backward: a barrier before dS is stored|keys|2:barrier_sync(MINE + w->me, 128);|;
backward: a stage that waits for blocks, and for keys|blocks|i < STAGE_EMPTY ? 2 : |i < STAGE_EMPTY ? 1 : 
backward: each warp for itself|blocks|if (thread % 32 == 0) // each warp for itself: none|if (thread == 0) // none
backward: dS read before it is overwritten|keys|bulk_wait_read<1>();|;
backward: dS stored at the end|keys|bulk_wait<0>();|;
backward: the group of a store closed|keys|bulk_commit();|;
backward: two buffers of dS|keys|w->buffer ^= 1;|;
backward: zeros behind the last query|keys|if (rows.live < SIDE)|if (false)
backward: zeros behind the last key|blocks|bool ends = (keys + 1) * SIDE > tile.context + tile.length;|bool ends = false;
backward: tiles of keys that begin with a context's|keys|return a.contexts[sequence] % SIDE;|return 0;
backward: more tiles where they do|keys|tokens : tokens + a->sequences * SIDE;|tokens : tokens;
backward: rows of a block that are the context's|keys|from = max(-first, 0)|from = 0
backward: rows of a block that are behind the context's|keys|min(tile.length - first, (int)SIDE)|(int)SIDE
backward: another sequence that sees all of a tile|keys|own ? tile.first - step.queries.query : -HOPPER_ROWS;|tile.first - step.queries.query;
backward: the blocks of another sequence|keys|if (sequence != step.queries.sequence)|if (sequence < 0)
backward: the context's blocks in front of its own|blocks_of|triangle(queries) + queries * of.context + keys|triangle(queries) + keys
backward: the other swizzle of dS|keys|((k * 2 + lane / 16) ^ (row % 8))|(k * 2 + lane / 16)
queries: a fence before the scores|queries|1:wgmma_fence();|;
queries: a fence before the sums|queries|2:wgmma_fence();|;
queries: the scores' group closed|queries|1:wgmma_commit();|;
queries: the sums' group closed|queries|3:wgmma_commit();|;
queries: the wait for scores|queries|wgmma_wait<1>();|;
queries: the wait for gradients of weights|queries|1:wgmma_wait<0>();|;
queries: the wait for the sums|queries|2:wgmma_wait<0>();|;
queries: the wait for rows|queries|mbarrier_wait(barriers + 8 * QUERIES_FULL, parity);|;
queries: the wait for keys|queries|mbarrier_wait(barriers + 8 * (FULL + stage->number), stage->parity);|;
queries: bytes that are expected|queries|mbarrier_expect(queries_full, 2 * b.tokens * tile.group * D * 2);|mbarrier_expect(queries_full, b.tokens * tile.group * D * 2);
queries: arrivals of keys and of values|queries|i >= EMPTY ? MULTIPLIERS / 32 : 2;|i >= EMPTY ? MULTIPLIERS / 32 : 1;
queries: a fence behind the tail's zeros|queries|proxy_fence();|;
queries: a barrier behind the tail's zeros|queries|barrier_sync(TAIL_IS_ZERO, MULTIPLIERS);|;
queries: zeros behind the last key|queries|if (first + KEYS > tile.last + 1) {|if (false) {
queries: a stage given back|queries|mbarrier_arrive(barriers + 8 * (EMPTY + stage->number));|;
product: a fence before a slab|product|wgmma_fence();|;
product: a slab's group closed|product|wgmma_commit();|;
product: the wait for the slab before|product|wgmma_wait<1>();|wgmma_wait<2>();
product: the wait for the last slab|product|wgmma_wait<0>();|;
product: the wait for a full stage|product|mbarrier_wait(barriers + 8 * (FULL + stage->number), stage->parity);|;
product: the wait for an empty stage|product|mbarrier_wait(barriers + 8 * (EMPTY + stage.number), stage.parity ^ 1);|;
product: the stage before given back, not this one|product|    if (!FIRST) {|    *before = stage->number; if (!FIRST) {
product: bytes that are expected|product|mbarrier_expect(full, F::STAGE_BYTES);|mbarrier_expect(full, F::A_BYTES);
product: barriers that copies know|product|mbarrier_init_fence();|;
product: the last stage given back|product|give_back(room + F::BARRIERS + 8 * (EMPTY + before), p.blocks);|;
product: each stage given back|product|give_back(barriers + 8 * (EMPTY + *before), p.blocks);|;
product: sums that begin anew|product|if (FIRST && k == 0)|if (false)
pairs: a stage given back to the other block|product|mbarrier_arrive_at(cluster_address(empty, cluster_rank() ^ 1));|;
pairs: a stage given back to the own block|product|mbarrier_arrive(empty);|;
pairs: to the other block, not twice to the own one|product|mbarrier_arrive_at(cluster_address(empty, cluster_rank() ^ 1));|mbarrier_arrive(empty);
pairs: arrivals of both blocks|product|MULTIPLIERS / 32 * p.blocks|MULTIPLIERS / 32
pairs: a meeting before the first load|product|1:meet(p.blocks);|__syncthreads();
pairs: a meeting before the end|product|2:meet(p.blocks);|;
pairs: the wait of a meeting|product|cluster_wait();|;
pairs: a load for both|product|if (target == BOTH)|if (false)
pairs: the half of the rank|product|int mine = shared ? cluster_rank() : 0;|int mine = 0;
pairs: the half of the rank alone|product|half < (shared ? mine + 1 : HALVES)|half < HALVES
pairs: the tile of the rank|product|int rank = p.blocks == 2 ? cluster_rank() : 0;|int rank = 0;
product: k that ends inside a slab|product|describe_matrix(map, (const element *)x, rows, k, pitch, ROWS / 2);|describe_matrix(map, (const element *)x, rows, (k + 63) / 64 * 64, pitch, ROWS / 2);
product: parts of 64 rows of a tall tile|product|int part = me * F::PIECES + piece;|int part = me + piece;
product: a third part where parts do not halve|product|(Tile::COLUMNS + PART_COLUMNS - 1) / PART_COLUMNS * PART_COLUMNS|Tile::COLUMNS / PART_COLUMNS * PART_COLUMNS
SwiGLU: up's rows of the weight|product|F::SWIGLU ? (int)p.up : F::COLUMNS / 2|F::COLUMNS / 2
SwiGLU: up's rows counted as rows of the weight|product|1:(s, &product, 2 * p->F, swiglu, tiling.pairs);|(s, &product, p->F, swiglu, tiling.pairs);
SwiGLU: gate rounded before|product|rounded(swiglu(widen(gate.left), widen(up.left)))|rounded(c[j][half * 2] / (1.0f + expf(-c[j][half * 2])) * widen(up.left))
SwiGLU: nothing where nobody wants gate and up|product|if (gate_up != NULL) {|if (true) {
decode: the wait for a free stage|decode|mbarrier_wait(room->empty(), room->stage.parity ^ 1);|;
decode: the parity of a free stage|decode|mbarrier_wait(room->empty(), room->stage.parity ^ 1);|mbarrier_wait(room->empty(), room->stage.parity);
decode: the wait for the last free stage|decode|mbarrier_wait(room.empty(), room.stage.parity ^ 1);|;
decode: the wait for a piece|decode|mbarrier_wait(room.full(), room.stage.parity);|;
decode: the wait for keys|decode|1:mbarrier_wait(room->full(), room->stage.parity);|;
decode: the parity of keys|decode|1:mbarrier_wait(room->full(), room->stage.parity);|mbarrier_wait(room->full(), 1);
decode: the wait for values|decode|2:mbarrier_wait(room->full(), room->stage.parity);|;
decode: the parity of values|decode|2:mbarrier_wait(room->full(), room->stage.parity);|mbarrier_wait(room->full(), 1);
decode: a half without rows that keeps pace|decode|3:mbarrier_wait(room->full(), room->stage.parity);|;
decode: bytes that are expected|decode|mbarrier_expect(room->full(), positions * D * 2);|mbarrier_expect(room->full(), KEY_BLOCK * D * 2);
decode: an end that is told|decode|mbarrier_arrive(room.full());|;
decode: a stage given back|decode|mbarrier_arrive(room->empty());|;
decode: a stage given back by each warp|decode|TILES * WARPS);|1);
decode: keys given back after they are multiplied|decode|1:score_keys<D>(tile->scores, tile->queries, room->page(), first, piece.position);|element *page = room->page(); if (threadIdx.x % 32 == 0) mbarrier_arrive(room->empty()); score_keys<D>(tile->scores, tile->queries, page, first, piece.position); room->stage.advance(); if (false)
decode: barriers that copies know|decode|mbarrier_init_fence();|;
decode: barriers that all know|decode|__syncthreads();|;
decode: queries that are there|decode|1:tile->together();|;
decode: queries that are read before there are scores|decode|2:tile->together();|;
decode: scores that are there|decode|3:tile->together();|;
decode: scores that are read before the next ones|decode|4:tile->together();|;
decode: zeros behind the last value|decode|if (first >= until)|if (true)
decode: a fence behind the tail's zeros|decode|proxy_fence();|;
decode: lanes behind the tail's zeros|decode|1:__syncwarp();|;
decode: the order of a page's pieces|decode|column % 64 * 2 ^ turn|column % 64 * 2
decode: a counter that begins at zero|decode|if (drawn == pieces - 1)|if (false)
decode: the piece that was drawn|decode|number = drawn + first;|number = drawn + 1;
decode: the wait for the kernel in front, before the newest keys|decode|1:dependency_wait();|;
decode: the wait for the kernel in front, before a piece is drawn|decode|2:dependency_wait();|;
decode: the wait for the kernel in front, before queries|decode|3:dependency_wait();|;
decode: the wait for the kernel in front, on any card, by each thread|pieces|1:dependency_wait();|if (threadIdx.x == 0) dependency_wait();
decode: the merging's wait for the kernel in front, by each thread|pieces|2:dependency_wait();|if (threadIdx.x == 0) dependency_wait();
pass: RoPE's wait for the kernel in front|rope|dependency_wait();|;
pass: the wait of rows that are copied|rows|1:dependency_wait();|;
pass: the wait of rows that are scaled|rows|2:dependency_wait();|;
pass: the sampler's wait for the kernel in front|sample|dependency_wait();|;
pass: the wait of tokens that are kept|device|dependency_wait();|;
few: a fence before a slab|few|wgmma_fence();|;
few: a slab's group closed|few|wgmma_commit();|;
few: the wait for the slab before|few|wgmma_wait<1>();|wgmma_wait<2>();
few: the wait for the last slab|few|wgmma_wait<0>();|;
few: the wait for a full stage|few|mbarrier_wait(barriers + 8 * (FULL + stage.number), stage.parity);|;
few: the wait for an empty stage|few|mbarrier_wait(barriers + 8 * (EMPTY + stage.number), stage.parity ^ 1);|;
few: a parity that turns|few|parity ^= 1;|;
few: the stage before given back, not this one|few|if (speaks && slab > 0)|before = stage.number; if (speaks && slab > 0)
few: the last stage given back|few|if (speaks)|if (false)
few: bytes that are expected|few|(PARTS * p.rows + COLUMNS) * LINE);|PARTS * p.rows * LINE);
few: arrivals of all warps|few|GROUPS * 4|4
few: barriers that copies know|few|mbarrier_init_fence();|;
few: a barrier behind the making of barriers|few|__syncthreads();|;
few: the wait for the kernel in front, before rows|few|1:dependency_wait();|;
few: the wait for the kernel in front, before results|few|2:dependency_wait();|;
few: the norm's wait for the kernel in front|norm|dependency_wait();|;
few: SwiGLU's wait for the kernel in front|swiglu|3:dependency_wait();|;
few: no more ahead than the ring holds|few|ahead < p.stages && |
few: stages that hold what a warpgroup reads|few|int lines = max((PARTS - 1) * plan.rows + GROUPS * GROUP_ROWS, PARTS * plan.rows + COLUMNS);|int lines = PARTS * plan.rows + COLUMNS;
few: more than one stage|few|half >= ENOUGH_STAGES && |
few: results of the tile alone|few|min(first + p.rows, p.n)|p.n
descriptors: the two distances|ptx|(uint64_t)(halves >> 4) << 16|(uint64_t)(1024 >> 4) << 16
descriptors: groups of eight rows|ptx|(uint64_t)(1024 >> 4) << 32|(uint64_t)(2048 >> 4) << 32
END
)
file_of() {
    case $1 in
    forward) echo kernels/cuda/hopper_attention_forward.cu ;;
    keys) echo kernels/cuda/hopper_attention_keys.cu ;;
    blocks) echo kernels/cuda/hopper_attention_blocks.cu ;;
    blocks_of) echo kernels/cuda/hopper_backward.cuh ;;
    tile) echo kernels/cuda/hopper_tile.cuh ;;
    shared) echo kernels/cuda/hopper_attention.cuh ;;
    queries) echo kernels/cuda/hopper_attention_queries.cu ;;
    decode) echo kernels/cuda/hopper_decode.cu ;;
    product) echo kernels/cuda/hopper_matmul.cu ;;
    few) echo kernels/cuda/hopper_few.cu ;;
    norm) echo kernels/cuda/norm.cu ;;
    swiglu | rows) echo kernels/cuda/elementwise.cu ;;
    pieces) echo kernels/cuda/attention_decode.cu ;;
    rope | sample | device) echo "kernels/cuda/$1.cu" ;;
    ptx) echo kernels/cuda/ptx_hopper.cuh ;;
    esac
}

# replace FILE [N:]FROM TO: the N-th place of FROM, which without N is the only one
replace() {
    FROM=${2#[0-9]:} NTH=${2%%:*} TO=$3 perl -0777 -e '
        my ($from, $nth, $to) = @ENV{qw(FROM NTH TO)};
        my $text = <STDIN>;
        my @places;
        my $at = -1;
        push @places, $at while ($at = index($text, $from, $at + 1)) >= 0;
        my $which = $nth =~ /^[0-9]$/ ? $nth - 1 : @places == 1 ? 0 : die "not once: $from\n";
        die "not so often: $from\n" if $which >= @places;
        substr($text, $places[$which], length $from) = $to;
        print $text' <"$1"
}

# one mutant: its name, source, FROM and TO
try() {
    local what=$1 file from=$3 to=$4 folder sources source only=attention
    [ "$2" != product ] || only=hopper_matmul
    case $2 in
    decode) only=decoding ;;
    pieces | rope | rows | sample | device) only=decoding_in_a_graph ;;
    few | norm | swiglu) only=few_rows_in ;;
    esac
    file=$(file_of "$2")
    folder=$work/$(echo "$what" | tr -c 'a-z0-9\n' '_')
    mkdir -p "$folder/kernels/cuda"
    replace "$file" "$from" "$to" >"$folder/$file" || { echo "FAILED: $file, $what" && return 1; }
    sources=$file
    case $file in
    *.cuh) sources=$(ls kernels/cuda/hopper_attention_*.cu) ;;
    esac
    for source in $sources; do
        [ "$source" = "$file" ] || cp "$source" "$folder/$source"
        ${CXX:-g++} -std=c++17 -D_GNU_SOURCE -I"$folder" -Itest/simt -I. -g1 -O1 -ffp-contract=off -fno-strict-aliasing -w -Wno-psabi -DHAVE_WGMMA \
            -fsanitize=thread -DPRECISION=bf16 -DPRECISION_BITS=16 -x c++ -c "$folder/$source" -o "$folder/$(basename "$source").o"
    done
    ${CXX:-g++} -fopenmp -o "$folder/test" build/simt/race/cuda_*.o "$folder"/*.o build/simt/race/open.o build/simt/race/libkernels.a \
        build/simt/race/libsimt.a build/libdereason.a -ljansson -lpcre2-8 -lutf8proc -lxxhash -lmpc -lmpfr -lgmp -lm
    for seed in 1 2 3; do
        if ! SIMT_SEED=$seed DEREASON_CUDA=bf16 timeout 100 "$folder/test" --only $only >"$folder/output" 2>&1; then
            echo "ok: without $what the test fails: $(grep -m 1 -E 'FAILED|simt:' "$folder/output" | cut -c 1-160 || echo 'it does not end')"
            rm -rf "$folder"
            return
        fi
    done
    echo "FAILED: nobody misses $what"
    return 1
}
export -f try replace file_of
export work
[ "${1:-}" != --list ] || { cut -d '|' -f 1 <<<"$mutants" && exit; }
grep -E -- "${1:-.}" <<<"$mutants" | tr '|' '\0' | tr '\n' '\0' | xargs -0 -n 4 -P 2 bash -c 'set -euo pipefail; try "$@"' try
