# The crypto API's side: registration, self-tests, fallbacks, priorities, crossover, backlog, names, unload.
. /suite/lib.sh
. /suite/volumes.sh
. /suite/chain.sh

PARAMETERS=/sys/module/kgpu/parameters
phase stock
mkdir -p /mnt/luks
modprobe dm_crypt

# best NAME: the driver of the highest priority that is not ours, as a stock dm-crypt would get it.
best() {
	awk -v want="$1" '
		$1 == "name" { sub(/^[^:]*: /, ""); name = $0 }
		$1 == "driver" { driver = $3 }
		$1 == "priority" && name == want && driver !~ /-kgpu$/ && $3 + 0 > best + 0 { best = $3; found = driver }
		END { print found }' /proc/crypto
}
# status COLUMN NAME: a column of an algorithm's line in the status file.
status() { awk -v column="$1" -v name="$2" '$1 == name { print $column }' $STATUS; }
# crypt NAME SPEC KEYBYTES DEVICE SECTORSIZE: a plain dm-crypt device over 8 MiB.
crypt() {
	_key=$(head -c "$3" /dev/urandom | hexdump -v -e '1/1 "%02x"')
	dmsetup create "$1" --table "0 16384 crypt $2 $_key 0 $4 0 1 sector_size:$5"
	dmsetup mknodes
}
# rewrite DEVICE: random data written and read back through a block device must be the same.
rewrite() {
	head -c 4194304 /dev/urandom >/tmp/random
	dd if=/tmp/random of="$1" bs=64k oflag=direct 2>/dev/null && dd if="$1" bs=64k count=64 iflag=direct 2>/dev/null | cmp - /tmp/random
}

phase kgpu
note "registered at load, no helper"
load deadline_ms=20000 full_ms=20000
selftests_passed
for name in $(awk '$2 ~ /-kgpu$/ && $1 ~ /\(/ { print $1 }' $STATUS); do
	same "$name: the fallback is the driver a stock dm-crypt would get" "$(best "$name")" "$(status 3 "$name")"
	same "$name: default priority" 50 "$(status 4 "$name")"
done
disk=$(disk plain 8)
check "a device opens by driver name before any helper runs" crypt p 'capi:xts-twofish-kgpu-plain64' 64 "$disk" 4096
check "it keeps data without a helper" rewrite /dev/mapper/p
check_fails "unload is refused while a transform exists" rmmod kgpu
before=$(counter 'xts(twofish).helper.bytes')
start_helper
check "the same device keeps data with a helper" rewrite /dev/mapper/p
after=$(counter 'xts(twofish).helper.bytes')
check "the helper computed it" [ "$after" -gt "$before" ]
check_fails "unload is refused while a helper is attached" rmmod kgpu

note "crossover by what is queued"
echo '*=65536' >$PARAMETERS/crossover
same "crossover is set for all" "" "$(tr ',' '\n' <$PARAMETERS/crossover | grep -v '=65536$')"
small=$(counter 'xts(twofish).fallback.small.requests')
dd if=/dev/mapper/p of=/dev/null bs=4096 count=1 iflag=direct 2>/dev/null
check "a lone sector goes to the CPU" [ "$(counter 'xts(twofish).fallback.small.requests')" -gt "$small" ]
check "512-byte sectors: device" crypt q 'capi:xts-twofish-kgpu-plain64' 64 "$disk" 512
before=$(counter 'xts(twofish).helper.requests')
dd if=/dev/mapper/q of=/dev/null bs=1M count=4 iflag=direct 2>/dev/null
check "a deep queue of 512-byte sectors goes to the helper" [ "$(counter 'xts(twofish).helper.requests')" -gt "$before" ]
check "512-byte sectors: closes" dmsetup remove q
check_fails "a parameter that makes no sense is refused" sh -c "echo 'xts(none)=1' >$PARAMETERS/crossover"
check_fails "a number out of range is refused" sh -c "echo 5 >$PARAMETERS/deadline_ms"
echo '*=0' >$PARAMETERS/crossover

note "priority at run time"
same "the stock driver is preferred by default" "$(best 'xts(twofish)')" "$(driver 'xts(twofish)')"
echo 'xts(twofish)=1000' >$PARAMETERS/priority
same "priority moves a stock name to kgpu" xts-twofish-kgpu "$(driver 'xts(twofish)')"
same "and no other" "$(best 'cbc(twofish)')" "$(driver 'cbc(twofish)')"
check "a stock name opens through kgpu" crypt q twofish-xts-plain64 64 "$disk" 4096
before=$(counter 'xts(twofish).helper.requests')
check "it keeps data" rewrite /dev/mapper/q
check "the helper computed it" [ "$(counter 'xts(twofish).helper.requests')" -gt "$before" ]
check "it closes" dmsetup remove q
echo 'xts(twofish)=50' >$PARAMETERS/priority
echo '*=1000' >$PARAMETERS/priority
n=0
SPECS="twofish-cbc-essiv:sha256:32 blowfish-cbc-plain64:32 aes-cbc-plain64:32 aes-ecb:16 aes-xts-plain64be:64"
for spec in $SPECS; do
	n=$((n + 1))
	check "${spec%:*}: opens through kgpu" crypt q "${spec%:*}" "${spec##*:}" "$(disk spec$n 8)" 4096
	check "${spec%:*}: written through kgpu" rewrite /dev/mapper/q
	cp /tmp/random /tmp/random.$n
	dmsetup table --showkeys q >/tmp/table.$n
	check "${spec%:*}: closes" dmsetup remove q
done
for name in 'cbc(twofish)' 'cbc(blowfish)' 'cbc(aes)' 'ecb(aes)' 'xts(aes)'; do
	served "$name" $((8 << 20)) "dm-crypt"
done

note "backlog"
check "device closes" dmsetup remove p
stop_helper
unload
# Without the module, so that no instance of a template is left that was built over it.
n=0
for spec in $SPECS; do
	n=$((n + 1))
	check "${spec%:*}: opens with the stock driver" dmsetup create q /tmp/table.$n
	dmsetup mknodes
	check "${spec%:*}: the stock driver reads the same" sh -c "dd if=/dev/mapper/q bs=64k count=64 iflag=direct 2>/dev/null | cmp - /tmp/random.$n"
	check "${spec%:*}: closes again" dmsetup remove q
done
load queue_limit=4 crossover='*=0' deadline_ms=20000 full_ms=20000
start_helper
check "with a queue of 4: device" crypt p 'capi:xts-twofish-kgpu-plain64' 64 "$disk" 512
check "with a queue of 4: keeps data" rewrite /dev/mapper/p
check "with a queue of 4: the helper computed it" [ "$(counter 'xts(twofish).helper.requests')" -gt 8192 ]
check "with a queue of 4: closes" dmsetup remove p

note "a ring of 8 and a pool of 1 MiB"
stop_helper
unload
load ring_entries=8 pool_mib=1 key_slots=2 crossover='*=0' deadline_ms=20000 full_ms=20000
start_helper
check "small ring: device" crypt p 'capi:xts-twofish-kgpu-plain64' 64 "$disk" 512
check "small ring: a second device" crypt q 'capi:cbc-twofish-kgpu-plain64' 32 "$(disk plain2 8)" 4096
check "small ring: keeps data" rewrite /dev/mapper/p
check "small ring: the other keeps data" rewrite /dev/mapper/q
check "small ring: closes" dmsetup remove p
check "small ring: the other closes" dmsetup remove q

note "a helper that dies and comes back, ten times"
stop_helper
unload
load crossover='*=0' deadline_ms=20000 full_ms=20000
check "device" crypt p 'capi:xts-twofish-kgpu-plain64' 64 "$disk" 4096
for round in 1 2 3 4 5 6 7 8 9 10; do
	start_helper
	dd if=/dev/urandom of=/dev/mapper/p bs=64k count=16 oflag=direct 2>/dev/null
	kill_helper
	wait_for_state "no helper" 20 || fail "round $round: the module noticed"
done
check "it keeps data after ten helpers" rewrite /dev/mapper/p
same "ten sessions were opened and closed" "10 10" "$(counter sessions) $(counter sessions-closed)"
check "it closes" dmsetup remove p
unload

note "self-tests through the helper: register=attach"
load register=attach crossover='*=0' deadline_ms=60000 full_ms=60000
same "nothing is registered before a helper attached" 0 "$(grep -c 'kgpu' /proc/crypto)"
start_helper
all_registered() { [ "$(grep -c '^driver.*-kgpu$' /proc/crypto)" -ge "$(awk '$2 ~ /-kgpu$/ && $1 ~ /\(/' $STATUS | wc -l)" ]; }
check "all are registered after it" wait_until 300 all_registered
selftests_passed
for name in $(awk '$2 ~ /-kgpu$/ && $1 ~ /\(/ { print $1 }' $STATUS); do
	check "$name: its self-tests ran on the helper" [ "$(counter "$name.helper.requests")" -gt 10 ]
done
stop_helper
unload
