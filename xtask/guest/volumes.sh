# Encrypted volumes for the suites: `. /suite/volumes.sh` after lib.sh. Sizes suit software emulation.

# disk NAME MIB: a sparse file in memory on a loop device; prints the device.
disk() {
	modprobe loop
	truncate -s "$2M" /tmp/"$1".img
	_loop=$(losetup -f)
	losetup "$_loop" /tmp/"$1".img && echo "$_loop"
}

# luks_format DEVICE CIPHER KEYBITS SECTOR: a LUKS2 volume with cheap key stretching.
luks_format() {
	printf secret | cryptsetup luksFormat -q --type luks2 --cipher "$2" --key-size "$3" --sector-size "$4" \
		--pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$1" -
}
luks_open() { printf secret | cryptsetup open --type luks2 --key-file - "$1" "$2"; }
luks_close() { cryptsetup close "$1"; }

# ecryptfs_mount LOWER UPPER CIPHER KEYBYTES
ecryptfs_mount() {
	modprobe ecryptfs
	mount.ecryptfs "$1" "$2" -o \
		"key=passphrase:passphrase_passwd=secret,ecryptfs_cipher=$3,ecryptfs_key_bytes=$4,ecryptfs_passthrough=n,ecryptfs_enable_filename_crypto=n,no_sig_cache" \
		</dev/null
}

# fill DIR MIB: files of mixed sizes, some with repeating and some with random content.
fill() {
	mkdir -p "$1"/sub
	dd if=/dev/urandom of="$1"/random bs=64k count=$(($2 * 8)) 2>/dev/null
	yes "the same line again" | dd of="$1"/text bs=64k count=$(($2 * 6)) iflag=fullblock 2>/dev/null
	for _i in 1 2 3 4 5 6 7 8 9 10; do
		head -c $((_i * 4099)) /dev/urandom >"$1"/sub/small"$_i"
	done
	dd if=/dev/urandom of="$1"/rest bs=64k count=$(($2 * 2)) 2>/dev/null
	sync
}

# digest DIR: one sha256 over all files and their names, read from the disk and not from memory.
# An empty folder has none, so that two of them never compare as equal.
digest() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	find "$1" -type f 2>/dev/null | grep -q . || {
		echo "no files in $1 at $(cat /proc/uptime)"
		return 1
	}
	(cd "$1" && find . -type f | sort | xargs sha256sum) | sha256sum | cut -d' ' -f1
}

# fio_verify FILE MIB [ARGS...]: writes with checksums, then reads all back and compares.
fio_verify() {
	_file=$1
	_mib=$2
	shift 2
	fio --name=verify --filename="$_file" --size="$_mib"M --rw=randwrite --bs=4k-64k --direct=1 --ioengine=libaio --iodepth=8 \
		--verify=crc32c --do_verify=1 --verify_fatal=1 --output-format=terse --terse-version=3 "$@"
}
