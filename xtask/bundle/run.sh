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
plan=quick
suites=smoke,both-ways
guest_cpus=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
guest_mem=
guest_append=
guest_on=
helper=guest
helpers=1
helper_options=
helper_on=
guests=2
disks=0
disk_mib=512

usage() {
	cat <<'TEXT'
usage: ./run.sh [OPTION…]

Runs the steps `devices`, `verify` and `bench`, and writes what they said into a folder.
The step `residue`, to be asked for, looks for what processes leave in a GPU's memory; nobody else may use it then.
The steps `guest`, `kernel`, `guests` and `attack`, to be asked for, boot a Linux kernel that is a program, with kgpu's module: `guest` runs
its tests, `kernel` measures in it. The helper is in it, on the processors, or beside it, with --backend (--helper host). They
need no privileges. `guests` measures the same in several at once, each with a helper of its own beside it, and says what share
each had of what computes. `attack`: a guest that lies to its helper in every way there is, while another's results are compared.
Exits with 0 if every step did what it should, else with 1.

  --out DIR          folder for the results [results]
  --steps LIST       steps to run [devices,verify,bench]; there are `residue`, `guest` and `kernel` too
  --backend NAME     what computes: auto, cpu, cuda, … [auto]
  --cases N          random requests of each algorithm in `verify` [10000]
  --algorithms LIST  algorithms of `verify` and `bench` [all]
  --keys CHOICE      keys of `bench`: short, long, both [short]
  --sizes LIST       request sizes of `bench` [512,4k,64k,1m,16m,64m]
  --depths LIST      requests in flight of `bench` [1,8,64,1024]
  --seconds S        seconds of each run of `bench` [0.2]
  --repeats N        runs of each line of `bench` [3]
  --plan NAME        how much `kernel` measures: quick, full [quick]
  --suites LIST      what `guest` runs [smoke,both-ways]
  --guest-cpus N     processors of the guest [all]
  --guest-mem MIB    its memory, a file in TMPDIR [2048; 8192 with --plan full]
  --guest-on LIST    processors that the guest may run on, as for taskset, and one for each of its own where there are as many [all];
                     with --helper-on, the libraries' of `kernel` too
  --helper PLACE     where the guest's helpers are: guest, host [guest]
  --helpers N        how many on the host, each a device of the guest; the suite `guest` and SIGKILL in others need 2 [1]
  --helper-on LIST   processors that they may run on [all]
  --helper-options T more words for `kgpu serve` there
  --disks N          disks of the guest in this machine's memory, /dev/vda and so on, for `guest_disk_on=host`; their process
                     runs where helpers may [0]
  --disk-mib MIB     their size [512]
  --guests N         how many `guests` boots at once; --guest-on and --helper-on may have a list for each, with / between [2]
  --guest-append T   words for its command line, such as `guest_steps=disk guest_disk_mib=512`
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
	--plan) plan=$1 ;;
	--suites) suites=$1 ;;
	--guest-cpus) guest_cpus=$1 ;;
	--guest-mem) guest_mem=$1 ;;
	--guest-append) guest_append=$1 ;;
	--guest-on) guest_on=$1 ;;
	--helper) helper=$1 ;;
	--helpers) helpers=$1 ;;
	--helper-on) helper_on=$1 ;;
	--helper-options) helper_options=$1 ;;
	--guests) guests=$1 ;;
	--disks) disks=$1 ;;
	--disk-mib) disk_mib=$1 ;;
	*) wrong "$option: not an option" ;;
	esac
	shift
done

case $plan in
quick) guest_mem=${guest_mem:-2048} ;;
full) guest_mem=${guest_mem:-8192} ;;
*) wrong "--plan $plan: the plans are quick and full" ;;
esac
case $helper in
guest | host) ;;
*) wrong "--helper $helper: it is in the guest or on the host" ;;
esac
[ "$disks" -le 26 ] || wrong "--disks $disks: at most 26"
mkdir -p "$out" || exit 1
carriage_return=$(printf '\r')
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

# residue_scan LABEL: looks through all free memory of the device; what it found counts in `residue_all`.
residue_scan() {
	"$kgpu" residue scan --label "$1" || left="$left $1"
}
# residue_hold ARG…: a process that computes with known keys and plaintext, until residue_end or residue_kill.
residue_hold() {
	rm -f "$out/hold.in" "$out/hold.out"
	mkfifo "$out/hold.in" || return 1
	"$kgpu" residue hold --backend "$backend" "$@" <"$out/hold.in" >"$out/hold.out" &
	holder=$!
	exec 9>"$out/hold.in"
	waited=0
	until grep -q '^HOLDING' "$out/hold.out"; do
		waited=$((waited + 1))
		if [ $waited -gt 600 ] || ! kill -0 $holder 2>/dev/null; then
			echo "RESIDUE the holder did not start"
			exec 9>&-
			return 1
		fi
		sleep 0.2
	done
	cat "$out/hold.out"
	# In the middle of its work.
	sleep 1
}
residue_end() {
	exec 9>&-
	wait $holder || left="$left holder"
	tail -n 1 "$out/hold.out"
}
residue_kill() {
	kill -KILL $holder
	wait $holder 2>/dev/null
	exec 9>&-
	echo "killed"
}
# residue_all: all cases, each followed by a scan from another process. Fails if a secret was found anywhere.
residue_all() {
	left=
	residue_scan before
	residue_hold || return 1
	residue_scan beside
	residue_end
	residue_scan ended
	residue_hold || return 1
	residue_kill
	residue_scan killed
	# What the driver does by itself: nobody clears the marker.
	residue_hold --marker || return 1
	residue_end
	residue_scan marker-ended
	residue_hold --marker || return 1
	residue_kill
	residue_scan marker-killed
	rm -f "$out/hold.in" "$out/hold.out"
	[ -z "$left" ] || {
		echo "RESIDUE secrets were found, or a process failed:$left"
		return 1
	}
	echo "RESIDUE nothing secret was found"
}

# on LIST COMMAND…: a command on some processors; on all for an empty list.
on() {
	cpus=$1
	shift
	if [ -n "$cpus" ]; then exec taskset -c "$cpus" "$@"; else exec "$@"; fi
}

# helpers_start SUITE: the guest's helpers on this host: their processes in helper_pids, the guest's words for them in
# helper_words, their logs in SUITE-helper-N.log.
helpers_start() {
	helper_pids='' helper_words='guest_backend=vhost-user'
	number=0
	while [ $number -lt "$helpers" ]; do
		# Short, whatever the folder for the results is called: a socket's name has room for 107 bytes.
		socket=$sockets/$number
		# shellcheck disable=SC2086
		# Ends with its guest, also where this script is gone before.
		on "$helper_on" "$kgpu" serve --backend "$backend" --vhost-user "$socket" --once $helper_options \
			>"$out/$1-helper-$number.log" 2>&1 </dev/null &
		helper_pids="$helper_pids $!"
		waited=0
		until [ -S "$socket" ]; do
			waited=$((waited + 1))
			if [ $waited -gt 600 ] || ! kill -0 $! 2>/dev/null; then
				echo "helper $number does not listen: see $out/$1-helper-$number.log"
				helpers_end "$1"
				return 1
			fi
			sleep 0.1
		done
		number=$((number + 1))
		helper_words="$helper_words virtio_uml.device=$socket:22:$number"
	done
}
# helpers_end SUITE: ends them, and says what they did. Fails if one ended by itself.
helpers_end() {
	number=0 ended=
	for pid in $helper_pids; do
		# A guest that ended early may have left one stopped.
		kill -TERM "$pid" 2>/dev/null && kill -CONT "$pid"
		wait "$pid"
		case $? in
		0) ;;
		137) echo "helper $number was killed" ;;
		*) ended="$ended $number" ;;
		esac
		sed -n "s/.*\(session over.*\)/helper $number: \1/p" "$out/$1-helper-$number.log"
		number=$((number + 1))
	done
	[ -z "$ended" ] || {
		echo "helpers that failed:$ended: see $out/$1-helper-*.log"
		return 1
	}
}
# disks_start SUITE: the guest's disks, in the memory of one process on this host: disk_pid, and the guest's words for them in
# disk_words. Its log is SUITE-disks.log.
disks_start() {
	disk_pid='' disk_words='' number=0 disk_log=$out/$1-disks.log
	[ "$disks" -gt 0 ] || return 0
	set --
	while [ $number -lt "$disks" ]; do
		set -- "$@" "$sockets/disk$number"
		# Numbers that no helper has.
		disk_words="$disk_words virtio_uml.device=$sockets/disk$number:2:$((1000 + number))"
		number=$((number + 1))
	done
	on "$helper_on" "$here/ram-disk" --mib "$disk_mib" "$@" >"$disk_log" 2>&1 </dev/null &
	disk_pid=$!
	waited=0
	for socket in "$@"; do
		until [ -S "$socket" ]; do
			waited=$((waited + 1))
			if [ $waited -gt 100 ] || ! kill -0 $disk_pid 2>/dev/null; then
				echo "the guest's disks are not served: see $disk_log"
				return 1
			fi
			sleep 0.1
		done
	done
}
# disks_end: ends their process, which may be gone with its guest. Fails if it failed.
disks_end() {
	[ -n "$disk_pid" ] || return 0
	kill -TERM "$disk_pid" 2>/dev/null
	wait "$disk_pid"
	case $? in
	0 | 143) ;;
	*)
		echo "the guest's disks failed: see $disk_log"
		return 1
		;;
	esac
}
# disks_spent: nanoseconds of processor time that it used since it was last asked.
disks_spent() {
	total=0
	[ -z "$disk_pid" ] || total=$(cat /proc/"$disk_pid"/task/*/schedstat 2>/dev/null | awk '{ ns += $1 } END { printf "%.0f", ns }')
	disk_spent=$((total > disk_counted ? total - disk_counted : 0))
	disk_counted=$total
}
# helpers_spent: nanoseconds of processor time that they used since it was last asked.
helpers_spent() {
	total=0
	for pid in $helper_pids; do
		total=$((total + $(cat /proc/"$pid"/task/*/schedstat 2>/dev/null | awk '{ ns += $1 } END { printf "%.0f", ns }')))
	done
	# Threads that ended took their time along.
	spent=$((total > counted ? total - counted : 0))
	counted=$total
}
# guest_lines SUITE: what a guest says of its suite: to SUITE.port, and to the screen what is for it. Sends helpers the
# signals that the suite asks for, and adds to rows what it cannot know: the time of helpers that are not in it.
guest_lines() {
	counted=0 disk_counted=0
	while IFS= read -r line; do
		line=${line%"$carriage_return"}
		case $line in
		'@@ row '*' helper-ns=0'*)
			if [ "$helper" = host ]; then
				helpers_spent
				line="${line%%helper-ns=0*}helper-ns=$spent${line#*helper-ns=0}"
			fi
			if [ "$disks" -gt 0 ]; then
				disks_spent
				line="$line disk-ns=$disk_spent"
			fi
			;;
		# What they did before is no row's.
		'@@ mark'*)
			[ "$helper" = guest ] || helpers_spent
			disks_spent
			;;
		# shellcheck disable=SC2086
		'@@ host '*) helper_signal ${line#@@ host } ;;
		'@@ note '* | '@@ ok '* | '@@ not ok '*) printf '%s\n' "${line#@@ }" ;;
		esac
		printf '%s\n' "$line" >&4
	done 4>"$out/$1.port"
}
# helper_signal SIGNAL NUMBER
helper_signal() {
	signal=$1 number=$2
	# shellcheck disable=SC2086
	set -- $helper_pids
	shift "$number"
	kill -"$signal" "$1"
}

# guest_boot SUITE WORDS…: a guest that runs one suite; its results go to SUITE.port and, as they come, to the screen, its
# console to SUITE.console. Fails if a check failed or the suite did not reach its end.
guest_boot() {
	suite=$1
	shift
	[ -x "$here/guest/linux" ] || {
		echo "this bundle has no guest: run \`cargo xtask kernel uml\`, then \`cargo xtask bundle\` again"
		return 1
	}
	mkdir -p "$out/uml"
	helper_pids='' helper_words=''
	sockets=$(mktemp -d) || return 1
	if ! disks_start "$suite" || { [ "$helper" = host ] && ! helpers_start "$suite"; }; then
		disks_end
		rm -rf "$sockets"
		return 1
	fi
	# Processors that are its own: then each of them keeps to one.
	pinned=${guest_on:+pin_cpus}
	# Its memory is a file in TMPDIR; its second serial port is its file descriptor 3.
	# shellcheck disable=SC2046,SC2086
	TMPDIR=${TMPDIR:-/dev/shm} on "$guest_on" sh -c 'exec "$@" 3>&2 2>&1' sh "$here/guest/linux" mem="$guest_mem"M \
		ncpus="$guest_cpus" initrd="$here/guest/initramfs.gz" uml_dir="$(CDPATH='' cd -- "$out/uml" && pwd)/" \
		$(cat "$here/guest/words") $pinned guest_suite="$suite" $helper_words $disk_words "$@" 2>&1 >"$out/$suite.console" </dev/null |
		guest_lines "$suite"
	wrong_helpers=
	[ -z "$helper_pids" ] || helpers_end "$suite" || wrong_helpers=yes
	disks_end || wrong_helpers=yes
	rm -rf "$sockets"
	if grep -q '^@@ not ok' "$out/$suite.port" || ! grep -q '^@@ end 0' "$out/$suite.port"; then
		echo "the suite $suite failed, or did not end: see $out/$suite.console"
		return 1
	fi
	if grep -q '^@@ dmesg .*\(BUG:\|WARNING:\|Oops\|Call Trace\)' "$out/$suite.port"; then
		echo "the kernel tells of a fault in the suite $suite: see $out/$suite.console"
		return 1
	fi
	[ -z "$wrong_helpers" ]
}
# guest_all: every suite that was asked for.
guest_all() {
	wrong_suites=
	for suite in $(echo "$suites" | tr ',' ' '); do guest_boot "$suite" $guest_append || wrong_suites="$wrong_suites $suite"; done
	[ -z "$wrong_suites" ] || {
		echo "failed:$wrong_suites"
		return 1
	}
}
# nth NUMBER LISTS: of lists with / between, the one of a number; the only one is everybody's.
nth() {
	case $2 in
	*/*) echo "$2" | cut -d/ -f$(($1 + 1)) ;;
	*) echo "$2" ;;
	esac
}
# guests_all: the same callers in several guests at once. What each computed is over its own time, which is nearly the others':
# they start together.
guests_all() {
	running=
	number=0
	while [ $number -lt "$guests" ]; do
		(
			out=$out/guest-$number guest_on=$(nth $number "$guest_on") helper_on=$(nth $number "$helper_on") helper=host helpers=1
			mkdir -p "$out" || exit 1
			guest_boot bench guest_plan="$plan" guest_steps=caller guest_ways=pool guest_ops=encrypt $guest_append >"$out/guest.txt" 2>&1
		) &
		running="$running $!"
		number=$((number + 1))
	done
	wrong_guests='' number=0
	for pid in $running; do
		wait "$pid" || wrong_guests="$wrong_guests $number"
		number=$((number + 1))
	done
	[ -z "$wrong_guests" ] || {
		echo "guests that failed:$wrong_guests: see $out/guest-*/guest.txt"
		return 1
	}
	cat "$out"/guest-*/bench.port | tr -d '\r' | awk -v guests="$guests" '
		$1 == "@@" && $2 == "row" && $3 == "caller" {
			for (i = 4; i <= NF; i++) { split($i, pair, "="); value[pair[1]] = pair[2] }
			name = value["what"] ", " value["size"] " bytes x " value["depth"]
			if (!(name in count)) order[++names] = name
			count[name]++
			rate = value["bytes"] / value["ns"]
			rates[name] = rates[name] sprintf("%8.2f", rate)
			sum[name] += rate
			if (!(name in least) || rate < least[name]) least[name] = rate
			if (rate > most[name]) most[name] = rate
		}
		END {
			for (i = 1; i <= names; i++) {
				name = order[i]
				printf "GUESTS %s: GB/s%s, together %.2f; the least has %.0f %% of the most\n", name, rates[name], sum[name], 100 * least[name] / most[name]
				if (count[name] != guests) wrong = 1
			}
			exit wrong || !names
		}'
}
# attack_all: an honest guest, whose results are compared, and tests that play others, all lies, against helpers of their own on the
# same device. Each of them must be refused and the helper serve after it, and the honest one must see nothing of it.
attack_all() {
	[ -x "$here/guest-tests" ] || {
		echo "this bundle has no tests: run \`cargo xtask bundle\` again"
		return 1
	}
	mkdir -p "$out/honest" || return 1
	(
		out=$out/honest guest_on=$(nth 0 "$guest_on") helper_on=$(nth 0 "$helper_on") helper=host helpers=1
		guest_boot bench guest_plan="$plan" guest_steps=caller guest_ways=pool,sg $guest_append >"$out/guest.txt" 2>&1
	) &
	honest=$!
	rounds=0 wrong_rounds=0
	while kill -0 $honest 2>/dev/null || [ $rounds -eq 0 ]; do
		(
			export KGPU_PROGRAM="$kgpu" KGPU_BACKEND="$backend" KGPU_OPTIONS="$helper_options"
			on "$(nth 1 "$helper_on")" "$here/guest-tests" --test-threads=2 hostile:: life::
		) >"$out/attack-$rounds.log" 2>&1 || {
			wrong_rounds=$((wrong_rounds + 1))
			grep -E '^test .*FAILED|panicked' "$out/attack-$rounds.log"
		}
		rounds=$((rounds + 1))
	done
	wait $honest || {
		cat "$out/honest/guest.txt"
		return 1
	}
	echo "ATTACK $rounds rounds of lies, $wrong_rounds with another end than refusal; the honest guest's results are right"
	[ $wrong_rounds -eq 0 ]
}
# kernel_all: measures in the guest, then other libraries on the same processors, the guest's and the helper's, and reports
# both.
kernel_all() {
	guest_boot bench guest_plan="$plan" $guest_append || return 1
	sed -n 's/^@@ row //p' "$out/bench.port" | tr -d '\r' >"$out/kernel.rows"
	case $helper in
	host) peers_on=${guest_on:+${helper_on:+$guest_on,$helper_on}} ;;
	*) peers_on=$guest_on ;;
	esac
	(on "$peers_on" "$kgpu" bench kernel --rows "$out/kernel.rows" --seconds "$seconds" --repeats "$repeats" --machine "$machine" \
		--csv "$out/kernel.csv" --json "$out/kernel.json" --markdown "$out/kernel.md" --plots "$out/kernel-plots")
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
	residue)
		step residue residue_all
		;;
	guest)
		step guest guest_all
		;;
	kernel)
		step kernel kernel_all
		;;
	guests)
		step guests guests_all
		;;
	attack)
		step attack attack_all
		;;
	*)
		wrong "there is no step $name: the steps are devices, verify, bench, residue, guest, kernel, guests, attack"
		;;
	esac
done

printf '\nresults: %s\n' "$out"
if [ -n "$failed" ]; then
	printf 'FAILED:%s\n' "$failed"
	exit 1
fi
echo 'all steps done'
