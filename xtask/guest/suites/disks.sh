# host-disks: 4
# Disks of the host's, as the benchmark has them, all of them at work at once: no interrupt gets lost, and what was written is
# read. On User-Mode Linux, whose interrupts these are; nothing of kgpu's is loaded.
. /suite/lib.sh

SECONDS_EACH=3
MIB=64

# work RW BLOCK DEPTH: all disks for a while, from a process each. Ends in time, or the machine has lost something.
work() {
	_jobs=$(for _disk in $DISKS; do echo "--name=$_disk --filename=/dev/$_disk"; done)
	# shellcheck disable=SC2086
	timeout -s KILL $((SECONDS_EACH + 30)) fio --rw="$1" --bs="$2" --iodepth="$3" --size=${MIB}M --direct=1 --ioengine=io_uring \
		--time_based --runtime=${SECONDS_EACH}s --group_reporting $_jobs
}
# written DEPTH: writes each disk as a whole and reads it, compared by its checksums.
written() {
	_jobs=$(for _disk in $DISKS; do echo "--name=$_disk --filename=/dev/$_disk"; done)
	# shellcheck disable=SC2086
	timeout -s KILL 60 fio --rw=randwrite --bs=4k-256k --iodepth="$1" --size=${MIB}M --direct=1 --ioengine=io_uring \
		--verify=crc32c --verify_fatal=1 --group_reporting $_jobs
}

check "virtio disks" modprobe virtio_blk
DISKS='vda vdb vdc vdd'
for disk in $DISKS; do
	check "$disk is there" wait_until 10 test -b /dev/$disk
	same "$disk has $MIB MiB" $((MIB * 2048)) "$(cat /sys/block/$disk/size)"
	same "$disk has blocks of 4 KiB" 4096 "$(cat /sys/block/$disk/queue/logical_block_size)"
done
for round in 1 2; do
	check "what was written is read, $round" written 16
	check "writes of 128 KiB end, $round" work write 128k 16
	check "reads of 1 MiB end, $round" work read 1M 8
	check "reads of 4 KiB end, $round" work randread 4k 8
done
check "beyond its end is refused" sh -c "! dd if=/dev/zero of=/dev/vda bs=1M seek=$MIB count=1 oflag=direct"
