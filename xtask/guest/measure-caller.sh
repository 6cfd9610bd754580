# The benchmark's callers of kgpu.h and of the crypto API, by kgpu_measure.ko. Part of the suite `bench`.

RUN=/sys/module/kgpu_measure/parameters

# caller_row WAY NAME OP KEYBYTES SIZE UNIT DEPTH THREADS: one run and its row.
caller_row() {
	_before=$(own "$2")
	mark
	_plan="by=$1 what=$2 op=$3 key=$4 size=$5 unit=$6 depth=$7 threads=$8 ms=$MS mib=$MIB pid=$HELPER"
	if ! echo "$_plan" >$RUN/run; then
		fail "caller $1 $2 $3 $5 bytes x $7" "$(dmesg | grep kgpu_measure: | tail -n 1)"
		return
	fi
	_result=$(cat $RUN/results)
	row "caller $_result $(own_since "$2" "$_before")"
	RAN=$((RAN + 1))
	case $_result in *" checked=0 "*) UNCHECKED="$UNCHECKED $1/$3/$5/$7" ;; esac
}

# key_of NAME: bytes of the key that is measured: 256 bits for each cipher (XTS has two), 128 for Blowfish.
key_of() {
	case $1 in
	*blowfish*) echo 16 ;;
	xts*) echo 64 ;;
	*\(*) echo 32 ;;
	*) echo 0 ;;
	esac
}
# unit_of NAME SIZE: a sector with its own IV where requests have sectors; counter mode and short requests have one unit.
unit_of() {
	case $1 in
	ctr*) echo "$2" ;;
	*) [ "$2" -gt 4096 ] && echo 4096 || echo "$2" ;;
	esac
}

check_fails "a plan that makes no sense" sh -c "echo by=nobody what=rot13 >$RUN/run"
expect_log "by is pool, sg or stock"
expect_log "error -22"
ALGORITHMS=$(cmdline guest_algorithms || awk 'listed { print $1 } $1 == "algorithm" { listed = 1 }' $STATUS | tr '\n' ',')
# Runs of one algorithm, operation and size.
RUNS=0
for way in $(words "$WAYS"); do
	case $way in
	stock) RUNS=$((RUNS + (CPUS > 1 ? 2 : 1))) ;;
	*) RUNS=$((RUNS + $(words "$DEPTHS" | wc -w))) ;;
	esac
done
for name in $(words "$ALGORITHMS"); do
	note "$name"
	RAN=0 UNCHECKED=
	case $name in *\(*) ops=$OPS ;; *) ops=compute ;; esac
	for op in $(words "$ops"); do
		for size in $(words "$SIZES"); do
			unit=$(unit_of "$name" "$size")
			for way in $(words "$WAYS"); do
				key=$(key_of "$name")
				if [ "$way" = stock ]; then
					# What computes at once has one request under way for each thread: one, and all processors.
					caller_row stock "$name" "$op" "$key" "$size" "$unit" 4 1
					[ "$CPUS" -eq 1 ] || caller_row stock "$name" "$op" "$key" "$size" "$unit" $((4 * CPUS)) "$CPUS"
					continue
				fi
				for depth in $(words "$DEPTHS"); do
					caller_row "$way" "$name" "$op" "$key" "$size" "$unit" "$depth" 1
				done
			done
		done
	done
	same "$name: a sample of each run's results was compared" "" "$UNCHECKED"
	same "$name: every run" $(($(words "$ops" | wc -w) * $(words "$SIZES" | wc -w) * RUNS)) $RAN
	case $WAYS in *pool* | *sg*) check "$name: the helper computed" [ "$(own "$name" | cut -d' ' -f1)" -gt 0 ] ;; esac
done
