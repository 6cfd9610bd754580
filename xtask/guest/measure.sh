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

# clocks: hundredths of a second that passed; nanoseconds that all processors were busy and that the helper ran (0 on the host),
# by kgpu_measure.ko: what /proc says is no help on User-Mode Linux, see kmod/sample/measure_run.c.
clocks() {
	echo "$(cut -d' ' -f1 /proc/uptime | tr -d .) $(cat /sys/module/kgpu_measure/parameters/busy)"
}

# clocks_since "BEFORE": what passed, in words of a row, in nanoseconds: time, all processors' busy time, the helper's.
clocks_since() {
	set -- $1 $(clocks)
	echo "clock-ns=$((($4 - $1) * 10000000)) cpus=$CPUS busy-ns=$(($5 - $2)) helper-ns=$(($6 - $3))"
}

# mark: the next row's measurement begins. For the host, which adds the time of a helper there to the row.
mark() { emit mark; }
