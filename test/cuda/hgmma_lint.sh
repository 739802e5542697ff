#!/usr/bin/env bash
# The lint of wgmma in SASS: what an assembler got wrong is found, what it got right passes, and so do the kernels that the build made. Started by
# test/run.sh. The fixtures lost-*.sass are lost.cu by nvcc -O3 -arch=sm_90a -ptx, ptxas of that version and cuobjdump -sass, without the encodings;
# attention_forward-13.0.88.sass.gz is the forward kernel of a40ae98 for D = 128, so assembled, which a card found wrong from its second block on.
source "$(dirname "$0")/../crash/common.bash"
sass=test/fixtures/sass lint=build/hgmma_lint

clean() { $lint "$@" >"$work/found" || failed "$*: $(cat "$work/found")"; }
# finds TEXT [FILE]: the only fault in the file
finds() {
    if $lint "${@:2}" >"$work/found"; then failed "${*:2}: does not find: $1"; fi
    grep -qF "$1" "$work/found" && grep -q ' 1 faults$' "$work/found" || failed "${*:2}: not only '$1': $(cat "$work/found")"
}
# mutant TEXT EXPRESSION: a fault is found in two groups in flight after sed's change
mutant() {
    sed "$2" $sass/waits.sass >"$work/mutant.sass"
    cmp -s $sass/waits.sass "$work/mutant.sass" && failed "sed '$2' changes nothing"
    finds "$1" "$work/mutant.sass"
}

lost='takes as its left operand R40: LDG, F2FP'
finds "$lost" $sass/lost-13.0.88.sass
clean $sass/lost-13.5.37.sass
if $lint <(gzip -dc $sass/attention_forward-13.0.88.sass.gz) >"$work/found"; then failed "finds nothing in the kernel of a40ae98"; fi
grep -q 'takes as its left operand R164: LDSM, F2FP$' "$work/found" && grep -q ' 8 faults$' "$work/found" || failed "the kernel of a40ae98: $(cat "$work/found")"
proved "queries that ptxas 13.0.88 loses to the weights of the round before are found; what 13.5.37 makes passes"

clean $sass/waits.sass
mutant '0050 FADD reads R24: an accumulator' 's/NOP/FADD R4, R24, R2/'
mutant '0050 MOV writes R26: an accumulator' 's/NOP/@P0 MOV R26, R2/'
mutant '0050 CS2R writes R44: a left operand' 's/NOP/CS2R R44, SRZ/'
mutant 'reads R24: an accumulator' 's/R44, gdesc/R24, gdesc/'
mutant 'writes R40: a left operand' 's/R32, R44/R40, R44/'
mutant '0070 FADD reads R32: an accumulator' 's/R24, R25/R32, R33/'
mutant '0070 FADD reads R24: an accumulator' 's/gsb0, 0x1/gsb0, 0x2/'
mutant '0070 FADD reads R24: an accumulator' '/0030/s/, gsb0//'
proved "registers touched between an HGMMA and its wait are found, and a wait that leaves the group that is wanted"
mutant 'left operand R40: nothing, LDSM' 's/LDSM.16.M88.4 R40/@P0 &/'
mutant 'left operand R44: LDSM, IADD3' 's/WARPGROUP.ARRIVE/@P0 IADD3 R47, R2, R3, RZ/'
mutant 'left operand R40: LDSM, SEL' 's/WARPGROUP.ARRIVE/SEL R41, R41, 0x1, P0/'
clean <(sed 's/WARPGROUP.ARRIVE/SEL R41, R41, RZ, P0/' $sass/waits.sass)
mutant 'adds to R24: nothing' '/0030/s/RZ, !UPT/R24/'
proved "a write under a predicate leaves what was there, a choice is of both kinds, and zeros of any"

refused() { # what the lint cannot follow is not passed over
    $lint >"$work/found" 2>&1 && failed "not refused: $(cat "$work/found")"
    [ $? = 2 ] && grep -qF "$1" "$work/found" || failed "not refused: $(cat "$work/found")"
}
sed 's/NOP/BRX R2 -0x50/' $sass/waits.sass | refused 'two_groups_in_flight: 0050: BRX is not understood'
sed 's/NOP/BRA 0x1000/' $sass/waits.sass | refused 'two_groups_in_flight: 0050: jumps out of the function'
refused 'this is no SASS' </dev/null

eval "$(dev/cuda_paths.sh)"
if [ -z "$NVCC" ] || [ -z "$CUOBJDUMP" ]; then
    skipped "the kernels' SASS, without nvcc, cuobjdump and nvdisasm (dev/setup.sh --cuda)"
    exit
fi
find build/cuda -name '*.log' | while read -r log; do # nvcc's, beside its objects
    "$CUOBJDUMP" -arch sm_90a -sass "${log%.log}.o"
done >"$work/kernels.sass"
clean "$work/kernels.sass"
proved "the build's kernels for sm_90a: $(tail -n 1 "$work/found")"

# lost.cu by the assemblers that are here: the one for wgmma is right; nvcc's own, where it is known to be wrong, is found out
"$NVCC" -std=c++17 -O3 -arch=sm_90a -ptx -o "$work/lost.ptx" $sass/lost.cu
assembled() { "$1" -arch=sm_90a -o "$work/lost.cubin" "$work/lost.ptx" && "$CUOBJDUMP" -sass "$work/lost.cubin" >"$work/lost.sass"; }
if "$CUDA_HOME/bin/ptxas" --version | grep -F V13.0.88 >/dev/null; then
    assembled "$CUDA_HOME/bin/ptxas"
    finds "$lost" "$work/lost.sass"
    proved "nvcc's own ptxas loses the queries, and is found out"
fi
if [ -n "$PTXAS" ]; then
    assembled "$PTXAS"
    clean "$work/lost.sass"
    proved "the assembler of kernels with wgmma keeps them"
else
    skipped "the assembler of kernels with wgmma: no ptxas 13.3 or newer (dev/setup.sh --cuda)"
fi
