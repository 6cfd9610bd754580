# Helpers that lie: each is found out by name, moves the counter of that name, leaves a line in the log, and no
# request suffers. docs/threat-model.md lists the lies.
. /suite/lib.sh
. /suite/volumes.sh
. /suite/sample.sh

PARAMETERS=/sys/module/kgpu/parameters

# liar HOW...: starts a helper that will lie; quarantines: how often helpers were until now.
liar() {
	QUARANTINES=$(counted '^quarantines')
	evil-helper lie "$@" >/tmp/liar.log 2>&1 &
	LIAR=$!
}
liar_ends() {
	kill -KILL $LIAR
	wait $LIAR 2>/dev/null
	check "$1: its session ends" wait_for_state "no helper"
}

# quarantined NAME: it is, once, and the log says so once.
quarantined() {
	check "$1: quarantined" wait_for_state quarantined
	same "$1: once" $((QUARANTINES + 1)) "$(counted '^quarantines')"
	same "$1: the log says so once" 1 "$(dmesg | grep -c "helper $LIAR quarantined: ")"
}

# lies HOW COUNTER: live, then lies; quarantined; every request is right. Without pool buffers: those the
# helper may write to whenever it likes, and kgpu.h says so.
lies() {
	_before=$(counted "$2")
	liar "$1"
	check "$1: live at first" wait_for_state live
	sample "$1: every result is right" requests=300 seed=31 pool=N
	quarantined "$1"
	grows "$1: counted" "$2" "$_before"
	sample "$1: and right while it scribbles" requests=100 seed=32
	liar_ends "$1"
}

phase stock
disk=$(disk stock 24)
check "stock: a volume is made" luks_format "$disk" twofish-xts-plain64 512 4096
check "stock: it opens" luks_open "$disk" vol
check "stock: fio verifies" fio_verify /dev/mapper/vol 4
check "stock: it closes" luks_close vol

phase kgpu
load deadline_ms=3000 crossover='*=0' pool_mib=8 priority='xts(twofish)=1000'

note "known answers"
for entries in 1024 8; do
	echo $entries >$PARAMETERS/ring_entries
	failed=$(counted '^known-answers-failed')
	liar wrong-answer
	quarantined "wrong-answer, ring of $entries"
	grows "wrong-answer, ring of $entries: counted" '^known-answers-failed' "$failed"
	sample "wrong-answer, ring of $entries: nothing is routed there" requests=100
	liar_ends "wrong-answer, ring of $entries"
done
echo 1024 >$PARAMETERS/ring_entries
liar no-answer
quarantined "no-answer"
liar_ends "no-answer"

note "completions"
lies unknown-slot '^rejected.unknown-slot'
lies doubled '^rejected.stale'
lies stale '^rejected.stale'
lies foreign-session '^rejected.foreign-session'
lies written-length '^rejected.written-length'
lies failed-length '^rejected.written-length'
lies unknown-status '^rejected.unknown-status'
lies reserved '^rejected.reserved'
lies wild '^rejected.foreign-session'
note "ring words"
for word in head-ahead head-back head-wild; do lies $word '^ring-errors[.]head'; done
for word in tail-ahead tail-back tail-wild; do lies $word '^ring-errors[.]tail'; done

note "a helper that fails, and says so"
failed=$(counted 'fallback.failed.requests')
liar failing
check "failing: live" wait_for_state live
sample "failing: every result is right" requests=300 seed=33
grows "failing: the kernel's own ciphers took over" 'fallback.failed.requests' "$failed"
same "failing: no reason for a quarantine" live "$(state)"
liar_ends "failing"

note "a helper that says nothing"
liar silence
check "silence: live" wait_for_state live
echo 500 >$PARAMETERS/deadline_ms
late=$(counted 'fallback.deadline.requests')
sample_start seed=34 pool=N
# It ends by itself then: the state may be gone before anybody looks.
check "silence: retired" wait_until 60 sh -c "dmesg | grep -q 'retired: it missed deadlines'"
grows "silence: the kernel's own ciphers took over" 'fallback.deadline.requests' "$late"
sample_end "silence: every result is right"
liar_ends "silence"
echo 3000 >$PARAMETERS/deadline_ms

note "wrong data"
liar wrong-data
check "wrong-data: live" wait_for_state live
expect_log "kgpu_sample: "
if modprobe kgpu_sample requests=50 2>/tmp/sample.out; then
	fail "wrong-data: the sample caller finds it, and does not load"
else
	check "wrong-data: the sample caller finds it, and does not load" grep "Bad message" /tmp/sample.out
fi
liar_ends "wrong-data"
echo 1 >$PARAMETERS/recheck
# wrong_data HOW: with a recheck of every result nothing of it reaches anybody.
wrong_data() {
	wrong=$(counted '^rechecks-wrong')
	liar "$1"
	check "$1, rechecked: live" wait_for_state live
	sample "$1, rechecked: every result is right" requests=200 seed=35 pool=N
	quarantined "$1, rechecked"
	grows "$1, rechecked: counted" '^rechecks-wrong' "$wrong"
	liar_ends "$1, rechecked"
}
wrong_data wrong-data
note "results that change after their completion"
wrong_data rewrite
echo 0 >$PARAMETERS/recheck

note "words and completions that change while they are read"
disk=$(disk flip 24)
check "a volume is made" luks_format "$disk" twofish-xts-plain64 512 4096
check "it opens" luks_open "$disk" vol
errors=$(counted '^ring-errors')
rejected=$(counted '^rejected[.]')
sample_start seed=36 pool=N
evil-helper lie flip --seconds 30 >/tmp/flip.log 2>&1 &
LIAR=$!
if fio_verify /dev/mapper/vol 8 >/tmp/fio.out 2>&1; then ok "flip: fio verifies"; else fail "flip: fio verifies" "$(tail -n 1 /tmp/fio.out)"; fi
wait $LIAR
same "flip: it ran to its end" 0 $?
note "flip: $(tail -n 1 /tmp/flip.log)"
sample_end "flip: every result is right"
grows "flip: impossible words were seen" '^ring-errors' "$errors" 1
grows "flip: completions were rejected" '^rejected[.]' "$rejected" 1
check "flip: in more than one session" [ "$(grep -c '^session ' /tmp/flip.log)" -gt 1 ]
check "it closes" luks_close vol

note "tricks with the mappings"
died=$(counted 'fallback.death.requests')
sample_start seed=37 pool=N
liar tricks
wait $LIAR
same "tricks: the helper dies of what it gave up, by SIGBUS" 135 $?
told /tmp/liar.log
check "tricks: they went to the end" grep -q '^end ' /tmp/liar.log
check "tricks: its session ends" wait_for_state "no helper"
sample_end "tricks: every result is right"
note "tricks: $(($(counted 'fallback.death.requests') - died)) requests were taken back at its death"

note "a good helper, after all that"
start_helper
before=$(counted '[.]helper[.]requests')
sample "good helper: every result is right" requests=500 seed=38
grows "good helper: it works" '[.]helper[.]requests' "$before"
same "no request failed in all this" 0 "$(counted '[.]errors')"
accepted=$(counted '[.]accepted')
same "every request accepted was answered once" "$accepted" "$(counted '[.]completed')"
same "log has no other level than notice for what we provoked" "" "$(dmesg -r | sed -n 's/^<\([0-4]\)>.*\] kgpu: /\1 /p' | grep -v 'loading out-of-tree\|module verification' | head -n 3)"
stop_helper
wait_for_state "no helper"
unload
