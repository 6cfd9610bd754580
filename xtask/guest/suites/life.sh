# The module's life, guest_rounds= times over: load, attach, work, a helper killed in mid-work, unload. It can't be
# unloaded while used, and leaves nothing behind: the kernel's leak detector looks, where there is one.
. /suite/lib.sh
. /suite/volumes.sh
. /suite/sample.sh

LEAKS=/sys/kernel/debug/kmemleak
if [ -e $LEAKS ]; then ROUNDS=100; else ROUNDS=10; fi
ROUNDS=$(cmdline guest_rounds || echo $ROUNDS)
QUIET=/tmp/quiet

# quietly COMMAND...: a step of a round: told only when it fails.
quietly() {
	"$@" >$QUIET 2>&1 || fail "round $round: $*" "$(tail -n 1 $QUIET)"
}
crypt() {
	_key=$(head -c 64 /dev/urandom | hexdump -v -e '1/1 "%02x"')
	dmsetup create "$1" --table "0 8192 crypt capi:xts-twofish-kgpu-plain64 $_key 0 $2 0 1 sector_size:4096"
	dmsetup mknodes
}
# in_flight: the helper has requests at this moment, so that a kill strikes in mid-work.
in_flight() { [ "$(counted '^in-flight')" -gt 0 ]; }

phase stock
modprobe dm_crypt
modprobe brd rd_nr=1 rd_size=4096
dd if=/dev/zero of=/dev/ram0 bs=64k 2>/dev/null

phase kgpu
note "unload is refused while used"
load crossover='*=0' deadline_ms=60000 full_ms=60000 pool_mib=4
check "a device over kgpu" crypt p /dev/ram0
check_fails "unload while a transform exists" rmmod kgpu
check "it closes" dmsetup remove p
start_helper --backend cpu
check_fails "unload while a helper has it open" rmmod kgpu
sample_start seed=41 pool=N
check "the sample caller is at work" wait_until 20 loaded kgpu_sample
check_fails "unload while a caller is loaded" rmmod kgpu
sample_end "the sample caller"
stop_helper
wait_for_state "no helper"
unload

# What the machine's start left is not ours.
if [ -e $LEAKS ]; then
	echo scan >$LEAKS
	sleep 6
	echo scan >$LEAKS
	left=$(grep -c unreferenced $LEAKS)
	note "left by the machine's start: $left objects"
	[ "$left" -eq 0 ] || expect_log "kmemleak: $left new suspected memory leaks"
	echo clear >$LEAKS
fi
note "$ROUNDS rounds"
round=0
taken=0
served=0
while [ $round -lt "$ROUNDS" ]; do
	round=$((round + 1))
	quietly modprobe kgpu crossover='*=0' deadline_ms=60000 full_ms=60000 pool_mib=1 ring_entries=64
	start_helper --backend cpu
	if [ $((round % 2)) -eq 0 ]; then
		quietly crypt p /dev/ram0
		(dd if=/dev/urandom of=/dev/mapper/p bs=64k count=32 oflag=direct 2>/dev/null || : >/tmp/io.failed) &
		work=$!
	else
		sample_start seed=$round pool=N
	fi
	wait_until 20 more_than 20 '[.]helper[.]requests' || fail "round $round: the helper is at work"
	before=$(counted '^taken-over')
	kill_helper
	wait_for_state "no helper" 30 || fail "round $round: the module noticed"
	taken=$((taken + $(counted '^taken-over') - before))
	served=$((served + $(counted '[.]helper[.]requests')))
	if [ $((round % 2)) -eq 0 ]; then
		wait $work
		quietly dmsetup remove p
	else
		echo 0 >/sys/module/kgpu_sample/parameters/requests
		wait "$SAMPLE" || fail "round $round: the sample caller" "$(cat /tmp/sample.out); $(sample_lines)"
		quietly rmmod kgpu_sample
	fi
	[ "$(counted '[.]errors')" -eq 0 ] || fail "round $round: no request failed" "$(counted '[.]errors')"
	wait_until 20 rmmod kgpu
	! loaded || fail "round $round: the module goes"
	[ $((round % 10)) -ne 0 ] || note "round $round: $taken requests taken back so far"
done
same "all rounds were made" "$ROUNDS" $round
check "no write failed in any of them" [ ! -e /tmp/io.failed ]
check "helpers died with requests in flight: $taken in all" [ $taken -ge $((ROUNDS / 2)) ]
row "$ROUNDS rounds: $served requests served, $taken taken back from killed helpers"

if [ -e $LEAKS ]; then
	echo scan >$LEAKS
	sleep 6
	echo scan >$LEAKS
	cat $LEAKS
	same "the leak detector finds nothing" 0 "$(grep -c 'unreferenced object' $LEAKS)"
else
	skip "the leak detector finds nothing" "this kernel has none: run it on the sanitizer kernel"
fi
