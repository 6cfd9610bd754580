# The sample caller as a load that checks itself. `. /suite/sample.sh` after lib.sh.

COUNTERS=/sys/kernel/debug/kgpu/counters

# counted REGEX: the sum of all counters of the module whose name matches.
counted() { awk -v name="$1" '$1 ~ name { sum += $2 } END { printf "%.0f\n", sum }' $COUNTERS; }
# more_than N REGEX
more_than() { [ "$(counted "$2")" -gt "$1" ]; }
# grows NAME REGEX BEFORE [SECONDS]: the counters' sum gets above what it was.
grows() {
	if wait_until "${4:-20}" more_than "$3" "$2"; then
		ok "$1: $(($(counted "$2") - $3))"
	else
		fail "$1" "$WAITED$2 stayed $3"
	fi
}

# sample_lines: what the last run of the sample caller logged.
sample_lines() { dmesg | sed -n 's/.*\(kgpu_sample: .*\)/\1/p' | tail -n "${1:-1}"; }

# sample NAME [PARAM=VALUE...]: a run of the sample caller, which fails to load unless every byte is right.
sample() {
	_what=$1
	shift
	if modprobe kgpu_sample "$@" >/tmp/sample.out 2>&1; then
		ok "$_what"
		row "$_what: $(sample_lines)"
		rmmod kgpu_sample
	else
		fail "$_what" "$(cat /tmp/sample.out); $(sample_lines)"
	fi
}

# sample_start [PARAM=VALUE...]: the same in the background, until sample_end NAME.
sample_start() {
	modprobe kgpu_sample requests=1000000 "$@" >/tmp/sample.out 2>&1 &
	SAMPLE=$!
}
sample_runs() { kill -0 $SAMPLE 2>/dev/null; }
sample_end() {
	check "$1: it is still at work" sample_runs
	echo 0 >/sys/module/kgpu_sample/parameters/requests
	if wait $SAMPLE; then
		ok "$1"
		row "$1: $(sample_lines)"
		rmmod kgpu_sample
	else
		fail "$1" "$(cat /tmp/sample.out); $(sample_lines)"
	fi
}
