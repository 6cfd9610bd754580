# eCryptfs with our change (kmod/patches/ecryptfs) beside the stock module: what one wrote the other reads, with stock
# ciphers and through kgpu; full and damaged lower files; writes of what is not in memory; a helper that is killed. On the
# command line, `measure=MIB` adds a table of throughputs and `ciphers=CIPHER:KEYBYTES` takes one cipher only.
. /suite/lib.sh
. /suite/volumes.sh
. /suite/chain.sh

CHANGED=/usr/lib/kgpu/ecryptfs.ko
PARAMETERS=/sys/module/ecryptfs/parameters
CIPHERS=$(cmdline ciphers || echo aes:32 twofish:32 blowfish:16)
mkdir -p /mnt/crypt /mnt/lower /tmp/plain
expect_log "ecryptfs: loading out-of-tree module taints kernel"

# module stock|changed: which eCryptfs is loaded from here on.
module() {
	! loaded ecryptfs || rmmod ecryptfs
	case $1 in
	stock) check "the stock module is loaded" modprobe ecryptfs ;;
	changed) check "the changed module is loaded" insmod $CHANGED ;;
	esac
	same "$1: which one it is" "$1" "$([ -e $PARAMETERS/batch_extents ] && echo changed || echo stock)"
}
most_in_flight() { cat $PARAMETERS/most_in_flight; }

# Not volumes.sh's, which goes past the page cache: eCryptfs has no such way.
fio_verify() {
	_file=$1
	_mib=$2
	shift 2
	fio --name=verify --filename="$_file" --size="$_mib"M --rw=randwrite --bsrange=4k-1m --direct=0 --ioengine=psync --fsync=16 \
		--invalidate=1 --verify=crc32c --do_verify=1 --verify_fatal=1 --output-format=terse --terse-version=3 "$@"
}

# bytes FROM COUNT: of the random bytes that all files are made of.
bytes() { tail -c +$(($1 + 1)) /tmp/random | head -c "$2"; }
# map_write FILE BYTES SEED: some pages of a file, written through a mapping in an order that the seed gives.
map_write() {
	fio --name=map --filename="$1" --size="$2" --io_size=512k --bs=4k --rw=randwrite --ioengine=mmap --buffer_pattern=0x5"$3"3 \
		--randrepeat=1 --randseed="$3" --overwrite=1 --fallocate=none --end_fsync="${4:-0}" --output-format=terse >/tmp/map.out || cat /tmp/map.out
}

# files DIR: the same files wherever it is called. Each kind of write that a batch can begin, end or be no part of.
files() {
	for _n in 0 1 4095 4096 4097 8192 12289 131072 3145728; do bytes 7 $_n >"$1"/size$_n; done
	bytes 100 4194304 | dd of="$1"/large bs=1M iflag=fullblock
	bytes 200 4194304 | dd of="$1"/odd bs=1000003 iflag=fullblock
	bytes 300 200000 | dd of="$1"/small bs=777 iflag=fullblock
	bytes 400 65536 | dd of="$1"/sparse bs=64k seek=40 iflag=fullblock
	bytes 500 70000 | dd of="$1"/sparse bs=70000 seek=60 conv=notrunc iflag=fullblock
	truncate -s 6000000 "$1"/sparse
	bytes 600 3000000 >"$1"/middle
	bytes 700 1048576 | dd of="$1"/middle bs=512k seek=1 conv=notrunc iflag=fullblock
	bytes 800 123457 | dd of="$1"/middle bs=123457 seek=3 conv=notrunc iflag=fullblock
	bytes 900 3000000 >"$1"/cut
	truncate -s 777777 "$1"/cut
	bytes 1000 999999 | dd of="$1"/cut bs=999999 seek=2 conv=notrunc iflag=fullblock
	truncate -s 1048576 "$1"/cut
	truncate -s 1500000 "$1"/cut
	bytes 1100 50000 >"$1"/appended
	for _n in 1 2 3; do bytes 1200 $((_n * 300001)) | dd of="$1"/appended bs=1M oflag=append conv=notrunc iflag=fullblock; done
	bytes 1300 3145728 >"$1"/mapped
	map_write "$1"/mapped 3145728 1
	bytes 1400 262144 | dd of="$1"/mapped bs=256k seek=5 conv=notrunc iflag=fullblock
	map_write "$1"/mapped 3145728 2 1
}

# write_set CIPHER LOWER WHO: makes the files and compares them, unmounted and mounted again, with the plain ones.
write_set() {
	mkdir -p "$2"
	check "$3, $1: mounts" ecryptfs_mount "$2" /mnt/crypt "$(part 1 "$1")" "$(part 2 "$1")"
	files /mnt/crypt 2>/tmp/files.out || cat /tmp/files.out
	same "$3, $1: as written" "$PLAIN" "$(digest /mnt/crypt)"
	check "$3, $1: unmounts" umount /mnt/crypt
}
# read_set CIPHER LOWER WHO: what another wrote.
read_set() {
	check "$3, $1: mounts $2" ecryptfs_mount "$2" /mnt/crypt "$(part 1 "$1")" "$(part 2 "$1")"
	same "$3, $1: reads $2" "$PLAIN" "$(digest /mnt/crypt)"
	check "$3, $1: unmounts" umount /mnt/crypt
}

# faulting WHO CIPHER: what is written is not in memory, or nowhere.
faulting() {
	mkdir -p /tmp/lower-faulting
	check "$1: mounts to fault" ecryptfs_mount /tmp/lower-faulting /mnt/crypt "$(part 1 "$2")" "$(part 2 "$2")"
	check "$1: writes its own pages, and memory that ends within" kgpu-guest faulting /mnt/crypt /tmp
	check "$1: unmounts after faults" umount /mnt/crypt
	rm -r /tmp/lower-faulting
}

# truncations WHO CIPHER: files cut and grown while write-back has their pages.
truncations() {
	if grep -q "User Mode Linux" /proc/cpuinfo && [ "$(grep -c ^processor /proc/cpuinfo)" -gt 1 ]; then
		skip "$1: files are cut during write-back" "User-Mode Linux with more than one processor loses stores (docs/guests.md)"
		return
	fi
	mkdir -p /tmp/lower-cut /tmp/plain-cut
	check "$1: mounts to cut" ecryptfs_mount /tmp/lower-cut /mnt/crypt "$(part 1 "$2")" "$(part 2 "$2")"
	: >/tmp/cutting
	(while [ -e /tmp/cutting ]; do sync; sleep 0.02; done) &
	_sync=$!
	for _dir in /mnt/crypt /tmp/plain-cut; do
		for _i in 1 2 3; do
			bytes $_i 2097152 >$_dir/f
			map_write $_dir/f 2097152 $_i
			truncate -s $((_i * 300007)) $_dir/f
			truncate -s 2097152 $_dir/f
			map_write $_dir/f 2097152 $((_i + 1))
			cp $_dir/f $_dir/copy$_i
			truncate -s $((_i * 200003)) $_dir/copy$_i
		done
	done
	rm /tmp/cutting
	wait $_sync
	same "$1: cut during write-back" "$(digest /tmp/plain-cut)" "$(digest /mnt/crypt)"
	check "$1: unmounts after cuts" umount /mnt/crypt
	rm -r /tmp/lower-cut /tmp/plain-cut
}

# full WHO CIPHER: a lower file system without room; what dd says goes to /tmp/full.WHO, without its own numbers.
full() {
	_disk=$(disk full-"$1" 24)
	mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 "$_disk"
	mount -t ext4 "$_disk" /mnt/lower
	mkdir -p /mnt/lower/dir
	check "$1: mounts on a small disk" ecryptfs_mount /mnt/lower/dir /mnt/crypt "$(part 1 "$2")" "$(part 2 "$2")"
	dd if=/tmp/random of=/mnt/crypt/fits bs=1M count=4 2>/dev/null
	cat /tmp/random /tmp/random /tmp/random /tmp/random | dd of=/mnt/crypt/full bs=1M iflag=fullblock 2>/tmp/dd.out
	echo "$? $(grep -c 'No space left' /tmp/dd.out)" >/tmp/full."$1"
	_size=$(stat -c %s /mnt/crypt/full)
	row "$1: $_size bytes of a file fit on the small disk"
	sync
	echo 3 >/proc/sys/vm/drop_caches
	same "$1: the file that fits" "$(head -c 4194304 /tmp/random | sha256sum)" "$(sha256sum </mnt/crypt/fits)"
	# What dd was told is written is read back: whole megabytes.
	_size=$((_size >> 20 << 20))
	check "$1: more than a batch of the other did" test $_size -gt 4194304
	same "$1: the part that fits" "$(cat /tmp/random /tmp/random /tmp/random | head -c $_size | sha256sum)" \
		"$(head -c $_size /mnt/crypt/full | sha256sum)"
	check "$1: unmounts the small disk" umount /mnt/crypt
	umount /mnt/lower
	losetup -d "$_disk"
	rm /tmp/full-"$1".img
}

# damaged WHO: what reading of damaged lower files says and gives, in /tmp/damaged.WHO.
damaged() {
	check "$1: mounts damaged files" ecryptfs_mount /tmp/lower-damaged /mnt/crypt twofish 32
	for _f in /tmp/lower-damaged/*; do
		_f=$(basename "$_f")
		head -c 16384 /mnt/crypt/"$_f" >/tmp/part 2>/tmp/why
		_rc=$?
		# Where the lower file has nothing stock decrypts what memory held: such bytes are never the same.
		case $_f in
		cut-header) echo "$_f $_rc $(cat /tmp/why) $(wc -c </tmp/part)" ;;
		*) echo "$_f $_rc $(cat /tmp/why) $(sha256sum </tmp/part)" ;;
		esac
		cat /mnt/crypt/"$_f" 2>/tmp/why | wc -c
		cat /tmp/why
	done >/tmp/damaged."$1"
	check "$1: unmounts damaged files" umount /mnt/crypt
}

head -c 8388608 /dev/urandom >/tmp/random
files /tmp/plain 2>/dev/null
PLAIN=$(digest /tmp/plain)
check "the plain files are all there" test "$(find /tmp/plain -type f | wc -l)" -eq 17

phase stock
module stock
for c in $CIPHERS; do write_set "$c" /tmp/stock-"$(part 1 "$c")" "stock"; done
full stock twofish:32
truncations stock twofish:32
faulting stock twofish:32
mkdir -p /tmp/lower-damaged
check "files to damage" ecryptfs_mount /tmp/lower-damaged /mnt/crypt twofish 32
for f in whole cut-header cut-page cut-data magic bit; do bytes 50 400000 >/mnt/crypt/$f; done
check "unmounted" umount /mnt/crypt
truncate -s 100 /tmp/lower-damaged/cut-header
truncate -s $((8192 + 16384)) /tmp/lower-damaged/cut-page
truncate -s $((8192 + 102400 + 1000)) /tmp/lower-damaged/cut-data
printf 'xxxx' | dd of=/tmp/lower-damaged/magic bs=1 seek=8 conv=notrunc 2>/dev/null
printf 'x' | dd of=/tmp/lower-damaged/bit bs=1 seek=9000 conv=notrunc 2>/dev/null
damaged stock

phase changed
module changed
same "nothing was under way yet" 0 "$(most_in_flight)"
for c in $CIPHERS; do
	read_set "$c" /tmp/stock-"$(part 1 "$c")" "changed"
	write_set "$c" /tmp/changed-"$(part 1 "$c")" "changed"
done
check "batches were made" test "$(most_in_flight)" -ge 1
full changed twofish:32
same "without room: the same end as stock" "$(cat /tmp/full.stock)" "$(cat /tmp/full.changed)"
truncations changed twofish:32
faulting changed twofish:32
damaged changed
check "something is damaged" grep -q "magic 1" /tmp/damaged.stock
check "damaged files: the same errors and bytes as stock" cmp /tmp/damaged.stock /tmp/damaged.changed
echo 0 >$PARAMETERS/batch_extents
echo 0 >$PARAMETERS/most_in_flight
read_set twofish:32 /tmp/stock-twofish "changed, without batches"
same "without batches nothing is submitted together" 0 "$(most_in_flight)"
echo 3 >$PARAMETERS/batch_extents
write_set twofish:32 /tmp/three-twofish "changed, by threes"
echo 512 >$PARAMETERS/batch_extents

phase kgpu
load priority='*=1000' crossover='*=0' deadline_ms=20000 full_ms=20000
start_helper
for c in $CIPHERS; do
	cipher=$(part 1 "$c")
	echo 0 >$PARAMETERS/most_in_flight
	before=$(counter "cbc($cipher).helper.requests")
	read_set "$c" /tmp/stock-"$cipher" "kgpu"
	most=$(most_in_flight)
	check "kgpu, $c: read-ahead had $most requests in flight together" test "$most" -gt 16
	echo 0 >$PARAMETERS/most_in_flight
	write_set "$c" /tmp/kgpu-"$cipher" "kgpu"
	most=$(most_in_flight)
	check "kgpu, $c: writes and reads had $most requests in flight together" test "$most" -gt 16
	read_set "$c" /tmp/changed-"$cipher" "kgpu"
	served "cbc($cipher)" $((64 << 20)) "kgpu"
	row "kgpu, $c: $(($(counter "cbc($cipher).helper.requests") - before)) requests to the helper, $most together"
done
truncations kgpu blowfish:16
faulting kgpu blowfish:16

note "the helper is killed under fio"
mkdir -p /tmp/kill
check "mounts for the kill" ecryptfs_mount /tmp/kill /mnt/crypt twofish 32
load_start /mnt/crypt/kill 16
sleep 2
kill_in_flight "fio on eCryptfs"
sleep 1
before=$(counter 'cbc(twofish).helper.bytes')
start_helper
taken_over() { [ "$(counter 'cbc(twofish).helper.bytes')" -gt "$before" ]; }
check "a new helper took over" wait_until 60 taken_over
load_stop "fio: no I/O error, no wrong byte"
check "unmounts after the kill" umount /mnt/crypt
for a in $(awk '/\.errors / && $2 > 0 { print $1 }' $COUNTERS); do fail "no request failed" "$a"; done

# measure LABEL CIPHER: sequential write, then read from the lower file, of $MIB MiB; MB/s.
measure() {
	mkdir -p /tmp/speed
	ecryptfs_mount /tmp/speed /mnt/crypt "$(part 1 "$2")" "$(part 2 "$2")" >/dev/null
	[ ! -e $PARAMETERS/most_in_flight ] || echo 0 >$PARAMETERS/most_in_flight
	_w=$(fio --name=w --filename=/mnt/crypt/f --size="$MIB"M --rw=write --bs=1m --ioengine=psync --end_fsync=1 --output-format=terse | cut -d';' -f48)
	sync
	echo 3 >/proc/sys/vm/drop_caches
	_r=$(fio --name=r --filename=/mnt/crypt/f --size="$MIB"M --rw=read --bs=1m --ioengine=psync --output-format=terse | cut -d';' -f7)
	row "$(printf '%-34s %-10s %8d %8d %6s' "$1" "$2" $((_w / 1024)) $((_r / 1024)) "$(most_in_flight 2>/dev/null || echo -)")"
	umount /mnt/crypt
	rm -r /tmp/speed
}
if MIB=$(cmdline measure); then
	note "throughput of $MIB MiB"
	row "$(printf '%-34s %-10s %8s %8s %6s' "module and cipher" "" "write MB/s" "read" "depth")"
	for c in $CIPHERS; do
		measure "changed module, kgpu" "$c"
	done
	module stock
	for c in $CIPHERS; do measure "stock module, kgpu" "$c"; done
	echo '*=1' >/sys/module/kgpu/parameters/priority
	for c in $CIPHERS; do measure "stock module, stock ciphers" "$c"; done
	module changed
	for c in $CIPHERS; do measure "changed module, stock ciphers" "$c"; done
	echo '*=1000' >/sys/module/kgpu/parameters/priority
fi
rmmod ecryptfs
stop_helper
result_table
unload

note "back to the stock module and the stock ciphers"
module stock
for c in $CIPHERS; do
	cipher=$(part 1 "$c")
	read_set "$c" /tmp/changed-"$cipher" "stock"
	read_set "$c" /tmp/kgpu-"$cipher" "stock"
done
read_set twofish:32 /tmp/three-twofish "stock"
