# Faults at random moments while volumes and an eCryptfs folder are at work: `cargo xtask chaos` boots this
# with its numbers on the kernel's command line, and judges the rows.
. /suite/lib.sh
. /suite/volumes.sh
. /suite/chain.sh

# setting NAME DEFAULT: a number of the run.
setting() { cmdline "chaos_$1" || echo "$2"; }
FAULTS=$(setting faults 30)
SEED=$(setting seed 1)
DEADLINE=$(setting deadline_ms 300)
SECONDS_MAX=$(setting seconds 600)
KINDS=$(setting kinds kill,stop,takeover,garbage,words,wrong-data,slow,error,pressure)
# If it is set: no faults, but wrong data with one result in each of these numbers computed again.
DETECTION=$(setting detection "")
ROUNDS=$(setting rounds 20)
# A name, how LUKS calls the cipher, key bits.
DISKS="twofish:twofish-xts-plain64:512 aes:aes-xts-plain64:512"

phase stock
mkdir -p /mnt/lower /mnt/crypt
mount -t tmpfs -o size=64m lower /mnt/lower
# Swap in compressed memory: without any, the kernel would rather kill than reclaim.
modprobe zram
echo 256M >/sys/block/zram0/disksize
mkswap /dev/zram0 >/dev/null
check "swap is on" swapon /dev/zram0
once() {
	for _disk in $DISKS; do
		_name=$(part 1 "$_disk")
		check "$1: $_name opens" luks_open "$(cat "/tmp/disk.$_name")" "$_name"
	done
	check "$1: eCryptfs mounts" ecryptfs_mount /mnt/lower /mnt/crypt twofish 32
}
away() {
	check "$1: eCryptfs unmounts" umount /mnt/crypt
	for _disk in $DISKS; do check "$1: $(part 1 "$_disk") closes" luks_close "$(part 1 "$_disk")"; done
}
for entry in $DISKS; do
	name=$(part 1 "$entry")
	disk "$name" 28 >"/tmp/disk.$name"
	check "$name: a volume is made" luks_format "$(cat "/tmp/disk.$name")" "$(part 2 "$entry")" "$(part 3 "$entry")" 4096
done
once stock
for entry in $DISKS; do
	check "stock: fio verifies on $(part 1 "$entry")" fio_verify "/dev/mapper/$(part 1 "$entry")" 1
done
away stock

phase kgpu
# Many lines come; the log keeps them, the console need not.
setting printk 5 >/proc/sys/kernel/printk
RECHECK=
case $KINDS in *wrong-data*) RECHECK=recheck=1 ;; esac
load priority='*=1000' crossover='*=0' deadline_ms="$DEADLINE" ring_entries=256 pool_mib=8 $RECHECK
once kgpu
# strike ARGS...: what the program says beside its rows goes to the console.
strike() {
	kgpu-guest chaos --seed "$SEED" --deadline-ms "$DEADLINE" --results $RESULTS "$@" >/tmp/chaos.out 2>&1
	_rc=$?
	tail -n 50 /tmp/chaos.out
	return $_rc
}
if [ -z "$DETECTION" ]; then
	check "$FAULTS faults, seed $SEED" strike --faults "$FAULTS" --seconds "$SECONDS_MAX" --kinds "$KINDS" \
		--device /dev/mapper/twofish --device /dev/mapper/aes --folder /mnt/crypt --sample
else
	# Between the lie and its detection the caller gets wrong bytes: it says so, as it must.
	expect_log "kgpu_sample: "
	for one_in in $(echo "$DETECTION" | tr ',' ' '); do
		echo "$one_in" >/sys/module/kgpu/parameters/recheck
		check "one in $one_in: every helper with wrong data is found out" strike --detection "$one_in" --rounds "$ROUNDS"
		dmesg | sed -n 's/.*\(kgpu_sample: .* mismatches\),.*/\1/p' | tail -n 1 | table
	done
fi
tail -n 3 /tmp/chaos-helpers.log 2>/dev/null
away kgpu
for a in $(awk '/\.errors / && $2 > 0 { print $1 }' $COUNTERS); do fail "no request failed" "$a"; done
! loaded kgpu_sample || rmmod kgpu_sample
wait_for_state "no helper"
unload
check "no other taint than an unsigned module's" taint_is_ours
