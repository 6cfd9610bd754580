# Functions for the guest's suites: `. /suite/lib.sh` first.
#
# Results go to the second serial port, one marked line each, so that kernel messages on the console
# cannot tear them. The host counts them, prints them as they come and fails on any `not ok`, on a
# missing end and on a kernel log that tells of a fault.

RESULTS=/dev/ttyS1
# The module's one readable status file.
STATUS=/proc/kgpu

emit() { printf '@@ %s\n' "$*" >$RESULTS; }

# note TEXT: progress, shown by the host with the guest's uptime.
note() {
	echo "== $*"
	emit "note [$(cut -d. -f1 /proc/uptime) s] $*"
}

# ok NAME, fail NAME [WHY], skip NAME WHY: one check's outcome. `fail` does not end the suite.
ok() {
	echo "ok - $*"
	emit "ok - $*"
}
fail() {
	echo "not ok - $1${2:+ # $2}"
	emit "not ok - $1${2:+ # $2}"
	FAILED=1
	return 1
}
skip() {
	echo "ok - $1 # SKIP $2"
	emit "ok - $1 # SKIP $2"
}

# check NAME COMMAND...: the command must succeed; its last line of output says why it did not.
check() {
	_name=$1
	WAITED=
	shift
	if "$@" >/tmp/check.out 2>&1; then
		cat /tmp/check.out
		ok "$_name"
	else
		_rc=$?
		cat /tmp/check.out
		fail "$_name" "$WAITED$* gave $_rc: $(tail -n 1 /tmp/check.out)"
	fi
}

# check_fails NAME COMMAND...: the command must fail (and not be killed by a signal).
check_fails() {
	_name=$1
	shift
	"$@" >/tmp/check.out 2>&1
	_rc=$?
	cat /tmp/check.out
	if [ $_rc -gt 0 ] && [ $_rc -lt 126 ]; then ok "$_name"; else fail "$_name" "$* gave $_rc"; fi
}

# same NAME EXPECTED ACTUAL: two words must be equal.
same() {
	if [ "$2" = "$3" ]; then ok "$1"; else fail "$1" "expected '$2', found '$3'"; fi
}

# row TEXT: a line of the result table that the host prints at the end.
row() {
	echo "$*"
	emit "row $*"
}

# table: each line of standard input is a row.
table() { while IFS= read -r _line; do row "$_line"; done; }

# told FILE: hands the checks and notes of a guest program on.
told() {
	while read -r _result _text; do
		case $_result in
		pass) ok "$_text" ;;
		fail) fail "${_text%% # *}" "${_text#* # }" ;;
		note) note "$_text" ;;
		esac
	done <"$1"
}

# phase NAME: marks a part of the kernel log. Warnings in any part that the part `stock` lacks fail the run.
phase() {
	echo "kgpu-suite: phase $1" >/dev/kmsg
	note "phase $1"
}

# expect_log TEXT: the suite provokes log lines that contain TEXT; they are no finding.
expect_log() { emit "allow $*"; }

# cmdline NAME: the value of a word NAME=VALUE on the kernel's command line; fails if there is none.
cmdline() {
	for _word in $(cat /proc/cmdline); do
		case $_word in "$1="*)
			echo "${_word#*=}"
			return 0
			;;
		esac
	done
	return 1
}

# wait_until SECONDS COMMAND...: polls until the command succeeds. A check that is this wait, and nothing else, says by $WAITED
# that it was in vain: the host may have been too busy. What is compared after a wait is a check of its own.
WAITED=
wait_until() {
	WAITED=
	_seconds=$1
	_left=$((_seconds * 5))
	shift
	until "$@" >/dev/null 2>&1; do
		_left=$((_left - 1))
		if [ $_left -le 0 ]; then
			WAITED="waited in vain, $_seconds s: "
			return 1
		fi
		sleep 0.2
	done
}

# --- the module ---

# load [PARAM=VALUE...]: loads kgpu with what it depends on.
load() { check "load kgpu${*:+ }$*" modprobe kgpu "$@"; }
# unload: waits a little, as the kernel's self-tests may still hold a reference right after the load.
unload() {
	wait_until 20 rmmod kgpu
	check_fails "unload kgpu" loaded
}
loaded() { grep -q "^${1:-kgpu} " /proc/modules; }

# taint_is_ours: only the two flags of an unsigned out-of-tree module may be set (O 4096, E 8192).
taint_is_ours() { [ $(($(cat /proc/sys/kernel/tainted) & ~12288)) -eq 0 ]; }

# driver NAME: the driver of the highest priority that /proc/crypto shows for an algorithm.
driver() {
	awk -v want="$1" '
		$1 == "name" { sub(/^[^:]*: /, ""); name = $0 }
		$1 == "driver" { driver = $3 }
		$1 == "priority" && name == want && $3 + 0 > best + 0 { best = $3; found = driver }
		END { print found }' /proc/crypto
}

# af_alg_takes DRIVER KEYBYTES: whether AF_ALG gives programs this driver, for a cipher with an IV of 16 bytes. From 7.3
# on it has a list of names, which root may lift, and takes no asynchronous driver in any case.
RESTRICTION=/proc/sys/crypto/af_alg_restrict
af_alg_takes() {
	modprobe algif_skcipher
	[ ! -e $RESTRICTION ] || echo 0 >$RESTRICTION
	head -c 64 /dev/zero >/tmp/af_alg.plain
	head -c "$2" /dev/urandom >/tmp/af_alg.key
	kcapi-enc -e -c "$1" --iv 00112233445566778899aabbccddeeff --keyfd 7 -i /tmp/af_alg.plain -o /tmp/af_alg.out 7</tmp/af_alg.key
}
# without_af_alg WHAT NAME KEYBYTES: leaves something out where the kernel is one that restricts AF_ALG, and that takes the
# stock driver of the same algorithm; elsewhere a refusal is a fault.
without_af_alg() {
	if [ -e $RESTRICTION ]; then
		check "AF_ALG takes the stock driver of $2" af_alg_takes "$(awk -v name="$2" '$1 == name { print $3 }' $STATUS)" "$3"
		skip "$1" "this kernel's AF_ALG takes no asynchronous driver"
	else
		fail "$1" "AF_ALG refuses kgpu's drivers"
	fi
}

# --- the helper ---

# state: the module's state as its status file says (the line `state: …`).
state() { sed -n 's/^state:[[:space:]]*//p' $STATUS; }
state_is() { [ "$(state)" = "$1" ]; }
# field NAME: another line of it.
field() { sed -n "s/^$1:[[:space:]]*//p" $STATUS; }

# wait_for_state STATE [SECONDS]
wait_for_state() { wait_until "${2:-60}" state_is "$1"; }

# Where helpers are: in this guest, or, with the word `guest_backend=vhost-user`, on its host, each behind a virtio device.
hosted() { [ "$(cmdline guest_backend)" = vhost-user ]; }

# start_helper [ARGS...]: starts `kgpu serve` in the background; its process is $HELPER, its log /tmp/helper.log. A host's
# helper attaches by itself, and $HELPER is 0.
start_helper() {
	HELPER=0
	if ! hosted; then
		kgpu serve "$@" >>/tmp/helper.log 2>&1 &
		HELPER=$!
	fi
	wait_for_state live || fail "helper is live" "${WAITED}state $(state); $(tail -n 1 /tmp/helper.log)"
}

# stop_helper: asks the helper to drain and end (a host's goes on: the module lets go of its device); kill_helper gives it
# no chance to.
stop_helper() {
	[ "$HELPER" != 0 ] || return 0
	kill -TERM "$HELPER"
	wait "$HELPER"
}
kill_helper() {
	kill -KILL "$HELPER"
	wait "$HELPER" 2>/dev/null
}

FAILED=0
