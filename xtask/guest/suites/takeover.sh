# One helper takes over from another under load: nothing falls back, nothing waits, nothing is wrong; a helper that
# hangs is taken over too, and one that fails its test changes nothing.
. /suite/lib.sh
. /suite/volumes.sh
. /suite/chain.sh
. /suite/sample.sh

# session, beside: of the status file.
session() { sed -n 's/^session: //p' $STATUS; }
# lost: requests that fell back because there was no helper to do them.
lost() { counted 'fallback[.](no-helper|stalled|deadline|death|failed|quarantine)[.]requests'; }
alone() { ! grep -q '^beside it: ' $STATUS; }
# new_session OLD: another one is live.
new_session() { [ "$(session)" -gt "$1" ] && state_is live; }

phase stock
disk=$(disk stock 24)
check "stock: a volume is made" luks_format "$disk" twofish-xts-plain64 512 4096
check "stock: it opens" luks_open "$disk" vol
check "stock: fio verifies" fio_verify /dev/mapper/vol 4
check "stock: it closes" luks_close vol

phase kgpu
load crossover='*=0' deadline_ms=20000 full_ms=20000 priority='xts(twofish)=1000'
disk=$(disk takeover 24)
start_helper
check "a volume is made" luks_format "$disk" twofish-xts-plain64 512 4096
check "it opens" luks_open "$disk" vol
load_start /dev/mapper/vol 8
sample_start seed=41
sleep 1
kgpu serve >/tmp/refused.log 2>&1
same "a helper beside another is refused" 5 $?
check "and is told of --takeover" grep -q -e '--takeover' /tmp/refused.log
before=$(lost)
for round in 1 2 3 4 5; do
	old=$HELPER
	was=$(session)
	kgpu serve --takeover >>/tmp/helper.log 2>&1 &
	HELPER=$!
	check "round $round: the new helper is live" wait_until 60 new_session "$was"
	wait $old
	same "round $round: the old helper ended well" 0 $?
	check "round $round: it is gone" wait_until 20 alone
	grows "round $round: the new one serves" '[.]helper[.]requests' "$(counted '[.]helper[.]requests')"
done
same "five takeovers" 5 "$(counter takeovers)"
same "no request fell back for want of a helper" "$before" "$(lost)"
sample_end "every result is right throughout"

note "from a helper that hangs"
echo 1000 >/sys/module/kgpu/parameters/deadline_ms
old=$HELPER
was=$(session)
kill -STOP "$old"
grows "requests are taken back" '^taken-over' "$(counter taken-over)"
kgpu serve --takeover >>/tmp/helper.log 2>&1 &
HELPER=$!
check "the new helper is live" wait_until 60 new_session "$was"
grows "it serves" '[.]helper[.]requests' "$(counted '[.]helper[.]requests')"
kill -KILL "$old"
wait "$old" 2>/dev/null
check "the old one is gone" wait_until 20 alone

load_stop "fio: no I/O error, no wrong byte"
check "it closes" luks_close vol
same "no request failed" 0 "$(counted '[.]errors')"
accepted=$(counted '[.]accepted')
same "every request accepted was answered once" "$accepted" "$(counted '[.]completed')"
stop_helper
wait_for_state "no helper"
unload
