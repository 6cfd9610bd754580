# Swap on dm-crypt on kgpu: what is written out to free memory goes through the helper, which is killed, stopped and
# started anew under the same pressure. Then thousands of requests that wait for a ring of 8.
. /suite/lib.sh
. /suite/volumes.sh
. /suite/chain.sh
. /suite/sample.sh

SWAP_MIB=384
WORK_MIB=280
# What is left to everything but the work, once the rest of memory is taken away.
LEFT_MIB=96

vmstat() { awk -v name="$1" '$1 == name { print $2 }' /proc/vmstat; }
meminfo() { awk -v name="$1:" '$1 == name { print $2 }' /proc/meminfo; }
swap_bytes() { counter 'xts(twofish).helper.bytes'; }
# plain DISK NAME SECTOR: dm-crypt with a random key, as for swap, under the name that a distribution would use.
plain() {
	cryptsetup open --type plain --key-file /dev/urandom --keyfile-size 64 --cipher twofish-xts-plain64 --key-size 512 \
		--sector-size "$3" "$1" "$2"
}
# work_goes_on: the work has verified a page more than when asked before.
rounds() { wc -l </tmp/work.out; }
more_rounds() { [ "$(rounds)" -gt "$1" ]; }

phase stock
modprobe brd rd_nr=1 rd_size=$((SWAP_MIB * 1024))
modprobe dm_crypt
# All of the disk's memory is taken now: it must not need any to swap out to.
check "the disk's memory is taken" dd if=/dev/zero of=/dev/ram0 bs=1M count=$SWAP_MIB
check "a swap device with the stock driver" plain /dev/ram0 swap 4096
check "it closes" luks_close swap

phase kgpu
load priority='*=1000' crossover='*=0' deadline_ms=2000 pool_mib=8 ring_entries=256
start_helper --workers 2
check "the swap device opens through kgpu" plain /dev/ram0 swap 4096
check "it is formatted" mkswap /dev/mapper/swap
check "it is used" swapon /dev/mapper/swap

# Huge pages can't be swapped out: they take away what there is too much of.
spare=$((($(meminfo MemAvailable) / 1024 - LEFT_MIB) / 2))
echo $spare >/proc/sys/vm/nr_hugepages
row "$(meminfo MemAvailable) KiB of memory are left for a work of $WORK_MIB MiB"
kgpu-guest pressure $WORK_MIB /tmp/work.enough >/tmp/work.out 2>/tmp/work.err &
work=$!
out=$(vmstat pswpout)
grows "pages go out through the helper" '^xts[(]twofish[)]\.helper\.bytes$' $((4 << 20)) 90
check "pages go out" [ "$(vmstat pswpout)" -gt "$out" ]
result_table

for n in 1 2 3 4; do
	before=$(swap_bytes)
	kill_helper
	wait_for_state "no helper" 20
	none=$(counter 'xts(twofish).fallback.no-helper.bytes')
	grows "kill $n: the fallback goes on" '^xts[(]twofish[)]\.fallback\.no-helper\.bytes$' "$none" 30
	start_helper --workers 2
	grows "kill $n: a new helper, started under pressure, goes on" '^xts[(]twofish[)]\.helper\.bytes$' "$(swap_bytes)" 60
done

kill -STOP "$HELPER"
grows "stopped: what it had is taken back" '^taken-over$' "$(counter taken-over)" 30
grows "stopped: the fallback goes on" '^xts[(]twofish[)]\.fallback\.stalled\.bytes$' \
	"$(counter 'xts(twofish).fallback.stalled.bytes')" 30
kill -CONT "$HELPER"
grows "continued: the helper goes on" '^xts[(]twofish[)]\.helper\.bytes$' "$(swap_bytes)" 60
same "the helper was never swapped out" "0 kB" "$(sed -n 's/^VmSwap:[[:space:]]*//p' /proc/$HELPER/status)"

before=$(rounds)
check "the work goes on" wait_until 60 more_rounds "$before"
: >/tmp/work.enough
if wait $work; then
	ok "all pages had what was written to them, $(rounds) times over"
else
	fail "all pages had what was written to them" "$(tail -n 1 /tmp/work.err)"
fi
row "$(vmstat pswpout) pages went out, $(vmstat pswpin) came in; the helper computed $(swap_bytes) bytes of xts(twofish)"
check "tens of MiB went out" [ "$(vmstat pswpout)" -gt 8192 ]
check "and came in" [ "$(vmstat pswpin)" -gt 8192 ]
same "nothing was killed for memory" 0 "$(vmstat oom_kill)"
echo 0 >/proc/sys/vm/nr_hugepages
check "swap ends" swapoff /dev/mapper/swap
check "the device closes" luks_close swap
same "every accepted request was answered" "$(counted '\.accepted$')" "$(counted '\.completed$')"
stop_helper
unload

note "thousands of requests for a ring of 8"
load priority='*=1000' crossover='*=0' deadline_ms=60000 full_ms=60000 ring_entries=8 queue_limit=16 pool_mib=8
start_helper --workers 2
check "a device with 512-byte sectors" plain /dev/ram0 plain 512
before=$(counted '\.helper\.requests$')
check "8 jobs of 256 requests each, verified" fio --name=flood --filename=/dev/mapper/plain --numjobs=8 --iodepth=256 \
	--ioengine=libaio --direct=1 --rw=randwrite --bs=2k --size=1M --offset_increment=1M --verify=crc32c \
	--do_verify=1 --verify_fatal=1 --output-format=terse --terse-version=3
row "$(($(counted '\.helper\.requests$') - before)) requests went through a ring of 8"
check "the helper computed thousands" [ $(($(counted '\.helper\.requests$') - before)) -gt 8192 ]
same "every accepted request was answered" "$(counted '\.accepted$')" "$(counted '\.completed$')"
same "no errors" 0 "$(counted '\.errors$')"
check "the device closes" luks_close plain
stop_helper
unload
