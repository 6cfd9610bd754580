# The benchmark's dm-crypt volumes on disks in memory: fio, by kgpu and by the stock driver in the same kernel. Part of the
# suite `bench`. Each volume has a disk and jobs of fio of its own; all of them are at work at once.

BLOCK_RANDOM=4096

# disk_of VOLUME: its disk: this kernel's ram disk, or one that the host has in its memory.
disk_of() {
	case $DISK_ON in
	ram) echo "/dev/ram$1" ;;
	host) echo "/dev/vd$(echo abcdefghijklmnopqrstuvwxyz | cut -c$(($1 + 1)))" ;;
	esac
}
# disk_table DRIVER BITS SECTOR VOLUME: dm-crypt's table; a driver's own name keeps others out, whatever their priority.
disk_table() {
	_hex=$(head -c $(($2 / 8)) /tmp/disk.key | od -An -v -tx1 | tr -d ' \n')
	echo "0 $(($DISK_MIB * 2048)) crypt capi:$1-plain64 $_hex 0 $(disk_of "$4") 0 1 sector_size:$3"
}
# volumes: their numbers, as words.
volumes() { seq 0 $((DISK_VOLUMES - 1)); }
# disk_open BY CIPHER BITS SECTOR
disk_open() {
	case $1 in
	kgpu) _driver=xts-$2-kgpu ;;
	stock) _driver="xts($2)" ;;
	esac
	for _volume in $(volumes); do
		disk_table "$_driver" "$3" "$4" "$_volume" | dmsetup create bench"$_volume" || return 1
	done
}
disk_close() { for _volume in $(volumes); do dmsetup remove --retry bench"$_volume" || return 1; done; }
# disk_fill: each volume as a whole.
disk_fill() {
	for _volume in $(volumes); do
		dd if=/dev/urandom of=/dev/mapper/bench"$_volume" bs=1M count="$DISK_MIB" oflag=direct || return 1
	done
}
# disk_digest: of the plaintext of the whole volumes, read from the disks.
disk_digest() {
	for _volume in $(volumes); do dd if=/dev/mapper/bench"$_volume" bs=1M iflag=direct 2>/dev/null; done | sha256sum | cut -d' ' -f1
}

# blocks_of RW: the sizes of its blocks, as words.
blocks_of() { case $1 in rand*) echo $BLOCK_RANDOM ;; *) words "$DISK_BLOCKS" ;; esac }

# disk_row BY CIPHER BITS SECTOR RW DEPTH BLOCK: one run of fio and its row.
disk_row() {
	_before=$(own "xts($2)")
	# Processes: threads of one wait for each other wherever User-Mode Linux enters it.
	_jobs=$(for _volume in $(volumes); do echo "--name=bench$_volume --filename=/dev/mapper/bench$_volume"; done)
	mark
	_clocks=$(clocks)
	# Buffers that the kernel holds once, and that fio does not change for each write: pinning and changing each of their pages is
	# fio's cost, not a cipher's.
	# shellcheck disable=SC2086
	if ! fio --size="$DISK_MIB"M --rw="$5" --bs="$7" --iodepth="$6" --direct=1 --numjobs="$DISK_JOBS" --group_reporting \
		--ioengine=io_uring --fixedbufs --scramble_buffers=0 --time_based --runtime="$DISK_MS"ms --norandommap --randrepeat=1 \
		--output-format=terse --terse-version=3 --percentile_list=50:99 $_jobs >/tmp/fio.out 2>&1; then
		fail "disk $*" "$(tail -n 1 /tmp/fio.out)"
		return
	fi
	_spent=$(clocks_since "$_clocks")
	case $5 in *read) _at=6 _percent=18 ;; *) _at=47 _percent=59 ;; esac
	_numbers=$(grep '^3;' /tmp/fio.out | cut -d';' -f$_at,$((_at + 3)),$_percent,$((_percent + 1)) |
		sed 's/;[0-9.]*%=/;/g' | awk -F';' '{ printf "bytes=%.0f ns=%.0f p50-ns=%.0f p99-ns=%.0f", $1 * 1024, $2 * 1000000, $3 * 1000, $4 * 1000 }')
	row "disk by=$1 what=xts($2) key=$(($3 / 8)) op=$5 size=$7 unit=$4 depth=$6 threads=$((DISK_VOLUMES * DISK_JOBS)) volumes=$DISK_VOLUMES $_numbers $_spent $(own_since "xts($2)" "$_before")"
	RAN=$((RAN + 1))
}

for block in $(words "$DISK_BLOCKS"); do
	if [ "$block" -le 0 ] || [ $((block % 4096)) -ne 0 ] || [ "$block" -gt $((DISK_MIB << 20)) ]; then
		fail "blocks are multiples of 4096 and no larger than the disk of $DISK_MIB MiB" "guest_disk_blocks=$DISK_BLOCKS"
	fi
done
# Runs of one disk by one driver.
RUNS=0
for rw in $(words "$RW"); do RUNS=$((RUNS + $(blocks_of "$rw" | wc -w) * $(words "$DISK_DEPTHS" | wc -w))); done
case $DISK_ON in
ram) check "$DISK_VOLUMES ram disks of $DISK_MIB MiB" modprobe brd rd_nr="$DISK_VOLUMES" rd_size=$((DISK_MIB * 1024)) ;;
host)
	check "virtio disks" modprobe virtio_blk
	for volume in $(volumes); do
		disk=$(disk_of "$volume")
		check "$disk of the host" wait_until 10 test -b "$disk"
		check "$disk has $DISK_MIB MiB" test "$(cat "/sys/block/${disk##*/}/size")" -ge $((DISK_MIB * 2048))
	done
	;;
*) fail "the disks are in ram or on the host" "guest_disk_on=$DISK_ON" ;;
esac
modprobe dm_crypt
head -c 64 /dev/urandom >/tmp/disk.key
for disk in $(words "$DISKS"); do
	cipher=$(part 1 "$disk") bits=$(part 2 "$disk") sector=$(part 3 "$disk")
	name="$cipher-xts, sectors of $sector"
	RAN=0
	for by in kgpu stock; do
		note "$name by $by"
		check "$name: opens by $by" disk_open $by "$cipher" "$bits" "$sector"
		if [ $by = kgpu ]; then
			# All of it, so that reads find what was written, and the ram disk has its pages.
			check "$name: kgpu writes all of it" disk_fill
		fi
		before=$(own "xts($cipher)")
		for rw in $(words "$RW"); do
			for block in $(blocks_of "$rw"); do
				for depth in $(words "$DISK_DEPTHS"); do disk_row $by "$cipher" "$bits" "$sector" "$rw" "$depth" "$block"; done
			done
		done
		computed=$(own_since "xts($cipher)" "$before")
		case $by in
		kgpu)
			check "$name: the helper computed, and all of it" sh -c "echo '$computed' | grep -q 'by-helper=[1-9].* by-fallback=0 '"
			wrote=$(disk_digest)
			;;
		stock) same "$name: kgpu computed nothing for the stock driver" "by-helper=0 by-fallback=0 zero-copy=0" "$computed" ;;
		esac
		check "$name: closes" disk_close
		if [ $by = kgpu ]; then
			check "$name: opens by stock to compare" disk_open stock "$cipher" "$bits" "$sector"
			same "$name: the stock driver reads what kgpu wrote" "$wrote" "$(disk_digest)"
			check "$name: closes again" disk_close
		fi
	done
	same "$name: every run" $((2 * RUNS)) $RAN
done
[ "$DISK_ON" = host ] || check "the ram disks go" rmmod brd
