# The device's refusals, and helpers that lie: each is found out, and no request suffers.
. /suite/lib.sh
. /suite/sample.sh

# told FILE: hands the checks of a guest program on.
told() {
	while read -r _result _text; do
		case $_result in
		pass) ok "$_text" ;;
		fail) fail "${_text%% # *}" "${_text#* # }" ;;
		esac
	done <"$1"
}

# liar HOW: starts a helper that will lie.
liar() {
	kgpu-guest lie "$1" >/tmp/liar.log 2>&1 &
	LIAR=$!
}
liar_ends() {
	kill -KILL $LIAR
	wait $LIAR 2>/dev/null
	check "$1: its session ends" wait_for_state "no helper"
}

phase kgpu
load deadline_ms=3000 crossover='*=0' pool_mib=8

note "refusals"
same "mode of the device" 600 "$(stat -c %a /dev/kgpu)"
same "another user is refused with EACCES" "errno 13" "$(setpriv --reuid=1000 --regid=1000 --clear-groups kgpu-guest open)"
kgpu-guest errnos >/tmp/errnos 2>&1
same "the refusals ran to their end" "pass a hundred refusals give ten lines" "$(tail -n 1 /tmp/errnos)"
told /tmp/errnos

start_helper
check_fails "a second helper is refused" kgpu serve
check_fails "the module stays while a helper has it open" rmmod kgpu
stop_helper
wait_for_state "no helper"

note "wrong known answers"
for entries in 1024 8; do
	echo $entries >/sys/module/kgpu/parameters/ring_entries
	failed=$(counted '^known-answers-failed')
	liar answers
	check "wrong answers, ring of $entries: quarantined" wait_for_state quarantined
	grows "wrong answers, ring of $entries: counted" '^known-answers-failed' "$failed"
	sample "wrong answers, ring of $entries: nothing is routed there" requests=100
	liar_ends "wrong answers, ring of $entries"
done
echo 1024 >/sys/module/kgpu/parameters/ring_entries
liar silence
check "no answers: quarantined" wait_for_state quarantined
liar_ends "no answers"

# lies NAME HOW COUNTER: live, then lies; quarantined; every request is right. Without pool buffers: those
# the helper may write to whenever it likes, and kgpu.h says so.
lies() {
	_before=$(counted "$3")
	_quarantines=$(counted '^quarantines')
	liar "$2"
	check "$1: live at first" wait_for_state live
	sample "$1: every result is right" requests=300 seed=31 pool=N
	check "$1: quarantined" wait_for_state quarantined
	same "$1: once" $((_quarantines + 1)) "$(counted '^quarantines')"
	grows "$1: counted" "$3" "$_before"
	check "$1: the log says so" sh -c "dmesg | grep -q 'helper $LIAR quarantined: '"
	sample "$1: and right while it scribbles" requests=200 seed=32
	liar_ends "$1"
}
note "lies"
lies "unknown slot" unknown-slot '^rejected.unknown-slot'
lies "stale completion" stale '^rejected.stale'
lies "wrong length" written-length '^rejected.written-length'
lies "unknown status" unknown-status '^rejected.unknown-status'
lies "foreign session" foreign-session '^rejected.foreign-session'
lies "reserved field" reserved '^rejected.reserved'
lies "submission head ahead" head '^ring-errors'
lies "submission head back" head-back '^ring-errors'
lies "completion tail ahead" tail '^ring-errors'
lies "completion tail back" tail-back '^ring-errors'

note "a helper that fails, and says so"
failed=$(counted 'fallback.failed.requests')
liar failing
check "failing: live" wait_for_state live
sample "failing: every result is right" requests=300 seed=33
grows "failing: the kernel's own ciphers took over" 'fallback.failed.requests' "$failed"
same "failing: no reason for a quarantine" live "$(state)"
liar_ends "failing"

note "the sample caller finds wrong bytes"
liar corrupt
check "corrupt: live" wait_for_state live
expect_log "kgpu_sample: "
if modprobe kgpu_sample requests=50 2>/tmp/sample.out; then
	fail "corrupt: the sample caller does not load"
else
	check "corrupt: the sample caller does not load, and says why" grep "Bad message" /tmp/sample.out
fi
liar_ends "corrupt"

note "a good helper"
start_helper
before=$(counted '[.]helper[.]requests')
sample "good helper: every result is right" requests=500 seed=34
grows "good helper: it works" '[.]helper[.]requests' "$before"
same "no request failed in all this" 0 "$(counted '[.]errors')"
same "log has no other level than notice for what we provoked" "" "$(dmesg -r | sed -n 's/^<\([0-4]\)>.*\] kgpu: /\1 /p' | grep -v 'loading out-of-tree\|module verification' | head -n 3)"
stop_helper
wait_for_state "no helper"
unload
