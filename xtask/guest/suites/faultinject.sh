# Allocations that fail. On the request path the module makes none: with every one of its allocations failing, a volume
# that the helper serves sees no error, and not one was made. While it loads, a helper attaches or a cipher gets its
# key, each single allocation fails once (guest_stride= apart; loading, which takes long and makes many,
# guest_load_stride=): every failure is clean, and the next try works.
. /suite/lib.sh
. /suite/volumes.sh
. /suite/sample.sh

STRIDE=$(cmdline guest_stride || echo 1)
LOAD_STRIDE=$(cmdline guest_load_stride || echo 25)
LEAKS=/sys/kernel/debug/kmemleak
FAULTS="/sys/kernel/debug/failslab /sys/kernel/debug/fail_page_alloc"
MANY=1000000000
ELSEWHERE='fallback[.](no-helper|full|share|no-slot|stalled|deadline|failed)[.]requests'
KEY=$(head -c 64 /dev/urandom | hexdump -v -e '1/1 "%02x"')

# set NAME VALUE: an attribute of both kinds of allocation.
set_fault() { for _fault in $FAULTS; do [ ! -e "$_fault/$1" ] || echo "$2" >"$_fault/$1"; done; }
# injected: how many allocations were made to fail since `times` was set.
injected() {
	_sum=0
	for _fault in $FAULTS; do _sum=$((_sum + MANY - $(cat "$_fault/times"))); done
	echo $_sum
}
# text: the addresses between which the module's code lies.
text() {
	grep ' [tT] .*\[kgpu\]' /proc/kallsyms | cut -d' ' -f1 | sort | sed -n '1p;$p'
}
# reject FUNCTION: no allocation fails from now on that this function of the kernel's is among the callers of.
reject() {
	set -- $(grep -A 1 " $1\$" /proc/kallsyms | cut -d' ' -f1)
	check "the kernel's function is known" [ $# -eq 2 ]
	set_fault reject-start "0x$1"
	set_fault reject-end "0x$2"
}
# inject PERCENT: so many of the allocations with the module's code among their callers fail from now on.
inject() {
	set_fault times $MANY
	set_fault probability "$1"
}
crypt() {
	dmsetup create vol --table "0 32768 crypt capi:xts-twofish-kgpu-plain64 $KEY 0 /dev/ram0 0 1 sector_size:4096" &&
		dmsetup mknodes
}
told() {
	while read -r _result _text; do
		case $_result in
		pass) ok "$_text" ;;
		fail) fail "${_text%% # *}" "${_text#* # }" ;;
		esac
	done <"$1"
}
nth() {
	kgpu-guest nth "$@" --stride "$STRIDE" >/tmp/nth.out 2>&1
	cat /tmp/nth.out
	check "nth $1 ran" grep -q '^pass\|^fail' /tmp/nth.out
	told /tmp/nth.out
}

phase stock
modprobe dm_crypt
modprobe algif_skcipher
modprobe brd rd_nr=1 rd_size=16384
# Every page of it is there before anything fails.
dd if=/dev/zero of=/dev/ram0 bs=64k 2>/dev/null

phase kgpu
if [ ! -e /sys/kernel/debug/failslab ]; then
	skip "failing allocations" "this kernel has no fault injection: run it on the sanitizer kernel"
else
	set_fault probability 0
	set_fault verbose 0
	set_fault interval 1
	set_fault ignore-gfp-wait N
	set_fault ignore-gfp-highmem N
	set_fault min-order 0
	set_fault stacktrace-depth 32
	load crossover='*=0' deadline_ms=600000 full_ms=600000 pool_mib=4 share_percent=100
	set -- $(text)
	note "the module's code: $1 to $2"
	check "its addresses are known" [ "$1" != "$2" ]
	set_fault require-start "0x$1"
	set_fault require-end "0x$2"

	note "the filter finds the module's allocations"
	expect_log "Error allocating crypto tfm"
	expect_log "error adding target to table"
	inject 100
	check_fails "a device over kgpu can't be made" crypt
	found=$(injected)
	inject 0
	check "by $found allocations of the module's" [ "$found" -gt 0 ]

	note "no allocation on the request path"
	start_helper --backend cpu
	check "a device over kgpu is made" crypt
	before=$(counted '[.]helper[.]requests')
	elsewhere=$(counted "$ELSEWHERE")
	# The kernel's own: its debugging of objects refills its store of them whenever someone starts a timer or queues
	# work, the module too.
	reject fill_pool
	# With the stack of each: for whoever has to find it.
	set_fault verbose 2
	inject 100
	check "fio verifies while every allocation of the module's would fail" fio_verify /dev/mapper/vol 8
	made=$(injected)
	inject 0
	set_fault verbose 0
	same "the module made no allocation" 0 "$made"
	check "the helper computed what fio wrote and read" more_than $((before + 500)) '[.]helper[.]requests'
	same "nothing went elsewhere" "$elsewhere" "$(counted "$ELSEWHERE")"
	check "the volume closes" dmsetup remove vol
	stop_helper
	wait_for_state "no helper"
	same "no request failed" 0 "$(counted '[.]errors')"

	note "each allocation of a session fails once"
	set_fault require-start 0
	set_fault require-end 0xffffffffffffffff
	nth session
	wait_for_state "no helper"
	start_helper --backend cpu
	sample "a helper serves after that" requests=200 seed=61
	stop_helper
	wait_for_state "no helper"
	note "each allocation of a transform fails once"
	expect_log "socket: no more sockets"
	for name in xts-twofish-kgpu cbc-aes-kgpu; do
		case $name in xts*) bytes=64 ;; *) bytes=32 ;; esac
		nth cipher --name $name --key $bytes
	done
	unload
	note "each allocation of the module's start fails once"
	# The crypto core's own: what fails in there leaves an algorithm that is never tested, a warning, and a module that
	# can't be unloaded, whoever it is that registers.
	reject crypto_schedule_test
	expect_log "kobject: "
	expect_log "not offered: this kernel has no driver for it to fall back to"
	expect_log "Cannot allocate a scan area"
	expect_log "kgpu: registering "
	STRIDE=$LOAD_STRIDE
	nth load --name "$(modinfo -n kgpu)"
	load crossover='*=0'
	start_helper --backend cpu
	sample "the module and a helper serve after that" requests=200 seed=62
	stop_helper
	wait_for_state "no helper"
	unload
	if [ -e $LEAKS ]; then
		echo scan >$LEAKS
		sleep 6
		echo scan >$LEAKS
		cat $LEAKS
		same "no failure leaked anything of the module's" "" "$(grep -o 'kgpu_[a-z_]*' $LEAKS | sort -u)"
	fi
fi
