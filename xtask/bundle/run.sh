#!/bin/sh
# Verifies and benchmarks kgpu on this machine: `./run.sh --help`.
set -u

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
kgpu=$here/kgpu
out=results
backend=auto
cases=10000
seconds=0.2
repeats=3
algorithms=
keys=short
sizes=512,4k,64k,1m,16m,64m
depths=1,8,64,1024
steps=devices,verify,bench
machine=

usage() {
	cat <<'TEXT'
usage: ./run.sh [OPTION…]

Runs the steps `devices`, `verify` and `bench`, and writes what they said into a folder.
Exits with 0 if every step did what it should, else with 1.

  --out DIR          folder for the results [results]
  --steps LIST       steps to run [devices,verify,bench]
  --backend NAME     what computes: auto, cpu, cuda, … [auto]
  --cases N          random requests of each algorithm in `verify` [10000]
  --algorithms LIST  algorithms of `verify` and `bench` [all]
  --keys CHOICE      keys of `bench`: short, long, both [short]
  --sizes LIST       request sizes of `bench` [512,4k,64k,1m,16m,64m]
  --depths LIST      requests in flight of `bench` [1,8,64,1024]
  --seconds S        seconds of each run of `bench` [0.2]
  --repeats N        runs of each line of `bench` [3]
  --machine TEXT     what to call this machine in the report
  --quick            a few minutes in all: --cases 1000 --seconds 0.05 --repeats 1 --depths 1,64,1024
TEXT
}

wrong() {
	printf '%s\n' "$1" 'see ./run.sh --help' >&2
	exit 2
}

while [ $# -gt 0 ]; do
	option=$1
	shift
	case $option in
	--help | -h)
		usage
		exit 0
		;;
	--quick)
		cases=1000 seconds=0.05 repeats=1 depths=1,64,1024
		continue
		;;
	esac
	[ $# -gt 0 ] || wrong "$option: not an option, or without its value"
	case $option in
	--out) out=$1 ;;
	--steps) steps=$1 ;;
	--backend) backend=$1 ;;
	--cases) cases=$1 ;;
	--algorithms) algorithms=$1 ;;
	--keys) keys=$1 ;;
	--sizes) sizes=$1 ;;
	--depths) depths=$1 ;;
	--seconds) seconds=$1 ;;
	--repeats) repeats=$1 ;;
	--machine) machine=$1 ;;
	*) wrong "$option: not an option" ;;
	esac
	shift
done

mkdir -p "$out" || exit 1
failed=

# step NAME COMMAND…: runs it with a heading; what it says goes to the screen and to NAME.txt.
step() {
	name=$1
	shift
	printf '\n==== %s: %s\n' "$name" "$*"
	{
		"$@" 2>"$out/$name.log"
		echo $? >"$out/$name.status"
	} | tee "$out/$name.txt"
	status=$(cat "$out/$name.status")
	rm -f "$out/$name.status"
	if [ "$status" = 0 ]; then
		printf '==== %s: done\n' "$name"
	else
		tail -n 20 "$out/$name.log" >&2
		printf '==== %s: FAILED with exit code %s\n' "$name" "$status"
		failed="$failed $name"
	fi
}

set -- # from here on: the arguments that `verify` and `bench` share
if [ -n "$algorithms" ]; then
	set -- --algorithms "$algorithms"
fi

old_ifs=$IFS
IFS=,
for name in $steps; do
	IFS=$old_ifs
	case $name in
	devices)
		step devices "$kgpu" devices
		;;
	verify)
		step verify "$kgpu" verify --backend "$backend" --cases "$cases" \
			--json "$out/verify.json" "$@"
		;;
	bench)
		step bench "$kgpu" bench all --backend "$backend" --keys "$keys" --sizes "$sizes" \
			--depths "$depths" --seconds "$seconds" --repeats "$repeats" --machine "$machine" \
			--csv "$out/bench.csv" --json "$out/bench.json" --plots "$out/plots" \
			--store "$out/kgpu-crossover.conf" "$@"
		;;
	*)
		wrong "there is no step $name: the steps are devices, verify, bench"
		;;
	esac
done

printf '\nresults: %s\n' "$out"
if [ -n "$failed" ]; then
	printf 'FAILED:%s\n' "$failed"
	exit 1
fi
echo 'all steps done'
