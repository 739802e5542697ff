#!/usr/bin/env bash
# Two hosts: two network namespaces with names and an address of their own, and a cable between them, which can be cut. Where this user may
# not make them, all of it is skipped.
. "$(dirname "$0")/common.bash"
export OMP_WAIT_POLICY=passive
tiny_recipe
name=dr$$
undo() {
    ip netns del ${name}a || true
    ip netns del ${name}b || true
} 2>/dev/null
hosts() {
    ip netns add ${name}a && ip netns add ${name}b && ip link add ${name}x netns ${name}a type veth peer name ${name}y netns ${name}b &&
        ip -n ${name}a addr add 10.213.0.1/24 dev ${name}x && ip -n ${name}b addr add 10.213.0.2/24 dev ${name}y &&
        ip -n ${name}a link set ${name}x up && ip -n ${name}b link set ${name}y up && ip -n ${name}a link set lo up && ip -n ${name}b link set lo up
}
if ! hosts >"$work/stdout" 2>"$work/hosts" || ! unshare -u true 2>>"$work/hosts"; then
    skipped "two hosts: no network namespaces can be made here ($(head -n 1 "$work/hosts"))"
    exit
fi

on() { # a|b, command: there, in place of this process
    # shellcheck disable=SC2016
    exec ip netns exec $name$1 unshare -u bash -c 'hostname host-'"$1"'; exec "$@"' - "${@:2}"
}
both() { # OUT, options: rank 0 on host a, rank 1 on host b, in the background: ${ranks[0]}, ${ranks[1]}
    ranks=()
    for rank in 0 1; do
        on "$([ $rank = 0 ] && echo a || echo b)" ./train_sft "${recipe[@]}" --out "$@" --ranks 2 --rank $rank --rendezvous 10.213.0.1:29777 \
            >"$work/said-$rank" 2>"$work/error-$rank" &
        ranks+=($!)
    done
}
end_with() { # STATUS STATUS
    local rank status
    for rank in 0 1; do
        status=0
        wait "${ranks[$rank]}" || status=$?
        [ $status = "$(eval echo "\$$((rank + 1))")" ] || failed "rank $rank has ended with $status: $(cat "$work/error-$rank")"
    done
}


the_bits_of_one_rank() {
    wants 0 train "$work/calm"
    both "$work/two"
    end_with 0 0
    grep -q "^2 ranks (--rank), on host-a and others" "$work/said-0" || failed "that there are two hosts is not said"
    same_run "$work/calm" "$work/two" "two hosts have the bits of one rank"
    rm -rf "$work/two"
}

a_cable_that_is_cut() {
    both "$work/cut" --epochs 100000 --stuck-after 3 --save-every 10
    wait_for_step "$work/cut" 12
    ip -n ${name}a link set ${name}x down
    begun=$SECONDS
    end_with 1 1
    [ $((SECONDS - begun)) -lt 20 ] || failed "it took $((SECONDS - begun)) seconds"
    grep -q "nothing was heard for 3 seconds from rank 1 on host-b: it is stopped, or its host is not reached" "$work/error-0" || failed "rank 0 says $(cat "$work/error-0")"
    grep -q "nothing was heard for 3 seconds from rank 0 on host-a: it is stopped, or its host is not reached" "$work/error-1" || failed "rank 1 says $(cat "$work/error-1")"
    ip -n ${name}a link set ${name}x up
    proved "a cable that is cut: both ends name the other, and end"
    both "$work/cut" --epochs 100000 --stuck-after 20 --save-every 10
    wait_for_step "$work/cut" 40
    kill -USR1 "${ranks[1]}"
    end_with 75 75
    proved "mended, the run goes on; a signal on one host stops both, with 75"
}

a_cable_that_is_cut_for_a_second() {
    both "$work/cut" --epochs 100000 --stuck-after 20 --save-every 10
    wait_for_step "$work/cut" 60
    ip -n ${name}a link set ${name}x down
    sleep 1
    ip -n ${name}a link set ${name}x up
    wait_for_step "$work/cut" $(($(tail -n 1 "$work/cut/log.jsonl" | grep -oE '"step": [0-9]+' | cut -d' ' -f2) + 20))
    kill -TERM "${ranks[0]}"
    end_with 75 75
    proved "a cable that is cut for a second costs a second"
}

the_bits_of_one_rank
a_cable_that_is_cut
a_cable_that_is_cut_for_a_second
