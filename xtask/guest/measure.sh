# What the parts of the benchmark share: `. /suite/measure.sh` after lib.sh and chain.sh.

# words LIST: the words of a list with commas.
words() { echo "$1" | tr ',' ' '; }

# own NAME: bytes of an algorithm that helpers, and that the kernel's own drivers, computed for kgpu so far, and how many
# requests stayed where they were.
own() {
	awk -v name="$1" '
		index($1, name ".") == 1 {
			rest = substr($1, length(name) + 2)
			if (rest == "helper.bytes") helper = $2
			if (rest ~ /^fallback.*bytes$/) fallback += $2
			if (rest == "zero-copy") zero = $2
		}
		END { printf "%.0f %.0f %.0f", helper, fallback, zero }' $COUNTERS
}

# own_since NAME "BEFORE": the same, as what was added since, in words of a row.
own_since() {
	set -- $2 $(own "$1")
	echo "by-helper=$(($4 - $1)) by-fallback=$(($5 - $2)) zero-copy=$(($6 - $3))"
}

# clocks: hundredths of a second that passed, that all processors were idle, and that the helper ran (0 on the host).
clocks() {
	_ticks=0
	[ "$HELPER" = 0 ] || _ticks=$(sed 's/.*) //' /proc/"$HELPER"/stat | awk '{ print $12 + $13 }')
	awk -v helper="$_ticks" '
		FNR == 1 && FILENAME == "/proc/uptime" { split($1, up, "."); passed = up[1] * 100 + up[2] }
		$1 == "cpu" { idle = $5 + $6 }
		END { printf "%.0f %.0f %.0f", passed, idle, helper }' /proc/uptime /proc/stat
}

# clocks_since "BEFORE": what passed, in words of a row, in nanoseconds: time, all processors' busy time, the helper's.
clocks_since() {
	set -- $1 $(clocks)
	_passed=$(($4 - $1))
	_busy=$((_passed * CPUS - ($5 - $2)))
	[ $_busy -gt 0 ] || _busy=0
	echo "clock-ns=$((_passed * 10000000)) cpus=$CPUS busy-ns=$((_busy * 10000000)) helper-ns=$((($6 - $3) * 10000000))"
}
