# A helper that is late: the kernel does its work, what it writes afterwards hits nothing, and it is back in
# service or replaced.
. /suite/lib.sh
. /suite/volumes.sh
. /suite/sample.sh

# stop_and_go LABEL SECONDS: SIGSTOP in mid-work, until requests were taken back and for SECONDS more; SIGCONT.
stop_and_go() {
	_taken=$(counted '^taken-over')
	_deadline=$(counted 'fallback.deadline.requests')
	kill -STOP "$HELPER"
	grows "$1: requests taken back at the deadline" 'fallback.deadline.requests' "$_deadline"
	sleep "$2"
	_stale=$(counted '^rejected.stale')
	kill -CONT "$HELPER"
}

phase stock
disk=$(disk stock 24)
check "stock: a volume is made" luks_format "$disk" twofish-xts-plain64 512 4096
check "stock: it opens" luks_open "$disk" vol
check "stock: fio verifies" fio_verify /dev/mapper/vol 4
check "stock: it closes" luks_close vol

phase kgpu
load deadline_ms=1000 pool_mib=8 crossover='*=0'
start_helper
session=$(sed -n 's/^session: //p' $STATUS)
sample_start seed=21
sleep 2
for round in 1 2 3; do
	stalled=$(counted 'fallback.stalled.requests')
	stop_and_go "round $round" 2
	grows "round $round: meanwhile the kernel's own ciphers work" 'fallback.stalled.requests' "$stalled" 1
	check "round $round: pool bytes are quarantined" more_than 0 '^quarantined-bytes'
	served=$(counted '[.]helper[.]requests')
	grows "round $round: its completions come late" '^rejected.stale' "$_stale"
	check "round $round: it is back in service" wait_for_state live
	grows "round $round: with other pool bytes" '[.]helper[.]requests' "$served"
	note "round $round: $(sed -n 's/^pool: //p' $STATUS)"
done
check "the log says that it is back" sh -c "dmesg | grep -q 'helper $HELPER is back'"
sample_end "every result is right while the helper is late"
same "nobody thought the late completions a lie" 0 "$(counted '^quarantines')"
same "one session did all that" "$session" "$(sed -n 's/^session: //p' $STATUS)"
stop_helper
wait_for_state "no helper"

note "completions and writes that come late on purpose"
evil-helper lie late >/tmp/liar.log 2>&1 &
liar=$!
check "it is live" wait_for_state live
stale=$(counted '^rejected.stale')
sample "results are right under late writes" requests=2500 seed=22
grows "late completions were seen" '^rejected.stale' "$stale"
check "it wrote late" grep -q "wrote late" /tmp/liar.log
same "it is still in service" live "$(state)"
kill -KILL $liar
wait_for_state "no helper"

note "a pool that is half quarantined"
echo 1 >/sys/module/kgpu/parameters/pool_mib
echo 100 >/sys/module/kgpu/parameters/share_percent
start_helper
session=$(sed -n 's/^session: //p' $STATUS)
sample_start seed=23
sleep 2
for round in 1 2 3 4 5 6; do
	[ "$(sed -n 's/^session: //p' $STATUS)" = "$session" ] || break
	stop_and_go "small pool, stop $round" 0.5
	sleep 1
	wait_for_state live
done
check "the helper was retired and attached anew" test "$(sed -n 's/^session: //p' $STATUS)" -gt "$session"
check "the log says why" sh -c "dmesg | grep -q 'retired: half of its'"
same "the new session has all of its pool" 0 "$(counted '^quarantined-bytes')"
sample_end "every result is right throughout"
stop_helper
wait_for_state "no helper"

note "dm-crypt under a late helper"
echo 8 >/sys/module/kgpu/parameters/pool_mib
echo 'xts(twofish)=1000' >/sys/module/kgpu/parameters/priority
start_helper
disk=$(disk late 24)
check "a volume is made" luks_format "$disk" twofish-xts-plain64 512 4096
check "it opens" luks_open "$disk" vol
fio_verify /dev/mapper/vol 8 --loops=2 >/tmp/fio.out 2>&1 &
fio=$!
sleep 2
for round in 1 2; do
	kill -STOP "$HELPER"
	sleep 2
	kill -CONT "$HELPER"
	sleep 1
done
if wait $fio; then ok "fio: no I/O error, no wrong byte"; else fail "fio under a late helper" "$(tail -n 1 /tmp/fio.out)"; fi
check "it closes" luks_close vol
same "no request failed" 0 "$(counted '[.]errors')"
stop_helper
wait_for_state "no helper"
unload
