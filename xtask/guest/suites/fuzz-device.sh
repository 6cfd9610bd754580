# A fuzzer of the device's calls (`kgpu-guest fuzz`), guest_seconds= long each time, with the capability and without,
# while requests run beside it and stay right. Afterwards a helper serves as if nothing had been.
. /suite/lib.sh
. /suite/sample.sh

LEAKS=/sys/kernel/debug/kmemleak
LONG=$(cmdline guest_seconds || echo 10)
SEED=$(cmdline guest_seed || echo 1)

# told FILE: hands the checks of a guest program on, and its counts.
told() {
	while read -r _result _text; do
		case $_result in
		pass) ok "$LABEL: ${_text}" ;;
		fail) fail "$LABEL: ${_text%% # *}" "${_text#* # }" ;;
		*) row "$LABEL: $_result $_text" ;;
		esac
	done <"$1"
}
# fuzz LABEL COMMAND...: beside the sample caller.
fuzz() {
	LABEL=$1
	shift
	note "$LABEL"
	sample_start seed="$SEED" pool=N
	check "$LABEL: the sample caller is at work" wait_until 30 loaded kgpu_sample
	"$@" >/tmp/fuzz.out 2>/tmp/fuzz.err
	same "$LABEL: the fuzzer ran to its end" 0 $?
	cat /tmp/fuzz.err
	told /tmp/fuzz.out
	sample_end "$LABEL: every result beside it is right"
	check "$LABEL: no session is left" wait_for_state "no helper" 60
}

phase kgpu
# Children that touch what is not mapped, and a call that the kernel finds odd.
expect_log "show_signal_msg: "
# The rest of such a line, which the kernel prints by pieces: another processor's line between them makes it one of its own,
# with the level that a line without one has.
expect_log "in kgpu-guest["
expect_log "likely on CPU "
expect_log "attempted to duplicate a private mapping with mremap"
load crossover='*=0' pool_mib=1 ring_entries=8 deadline_ms=1000
[ ! -e $LEAKS ] || echo scan >$LEAKS
sessions=$(counted '^sessions$')
fuzz "with the capability" kgpu-guest fuzz --seconds "$LONG" --seed "$SEED"
grows "sessions were opened" '^sessions$' "$sessions" 1
chmod 666 /dev/kgpu
fuzz "another user" setpriv --reuid=1000 --regid=1000 --clear-groups kgpu-guest fuzz --seconds "$LONG" --seed "$SEED" --refused
fuzz "with a descriptor of root's" kgpu-guest fuzz --seconds "$LONG" --seed 3 --unprivileged
fuzz "with a session of root's" kgpu-guest fuzz --seconds "$LONG" --seed 4 --unprivileged
chmod 600 /dev/kgpu

note "a good helper"
start_helper --backend cpu
before=$(counted '[.]helper[.]requests')
sample "good helper: every result is right" requests=300 seed=51
grows "good helper: it works" '[.]helper[.]requests' "$before"
stop_helper
wait_for_state "no helper"
same "no request failed in all this" 0 "$(counted '[.]errors')"
unload
if [ -e $LEAKS ]; then
	echo scan >$LEAKS
	sleep 6
	echo scan >$LEAKS
	cat $LEAKS
	same "the leak detector finds nothing" 0 "$(grep -c 'unreferenced object' $LEAKS)"
fi
