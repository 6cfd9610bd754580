# The benchmark's eCryptfs folders: large files and a source tree, by kgpu and by the stock driver in the same kernel, and
# by kgpu with our change to eCryptfs, which submits extents together (docs/volumes.md). Part of the suite `bench`.

# use_module BY: which eCryptfs is loaded from here on.
use_module() {
	! loaded ecryptfs || rmmod ecryptfs
	# With all that either of them needs.
	modprobe ecryptfs || return 1
	case $1 in
	*-together) rmmod ecryptfs && insmod /usr/lib/kgpu/ecryptfs.ko ;;
	esac
}

# prefer NAME BY: whom users of an algorithm's name get from now on.
prefer() {
	case $2 in kgpu*) _priority=10000 ;; *) _priority=1 ;; esac
	echo "$1=$_priority" >/sys/module/kgpu/parameters/priority
}

# tree_make DIR FILES: like a tree of sources: lines of text, 4 KiB a file on average, 25 files a folder.
tree_make() {
	mkdir -p "$1"
	awk -v files="$2" -v to="$1" 'BEGIN {
		srand(1)
		for (i = 0; i < files; i++) {
			dir = to "/" int(i / 25)
			if (i % 25 == 0) system("mkdir -p " dir)
			lines = 4
			for (double = int(rand() * 8); double > 0; double--) lines *= 2
			for (j = 0; j < lines; j++) print "\tvalue_" i " = next(" int(rand() * 1e9) ", table[" j "]);" >(dir "/part" i ".c")
			close(dir "/part" i ".c")
		}
	}'
}

# folder_row BY CIPHER KEYBYTES WHAT OP BYTES FILES COMMAND...: a command's time, with its data on the lower file system.
folder_row() {
	_words="by=$1 what=cbc($2) key=$3 op=$5-$4 bytes=$6 files=$7"
	_name="cbc($2)"
	_who="$1 $2 $5 $4"
	shift 7
	_before=$(own "$_name")
	mark
	_clocks=$(clocks)
	if ! "$@" >/tmp/folder.out 2>&1; then
		fail "folder $_who" "$(tail -n 1 /tmp/folder.out)"
		return
	fi
	_spent=$(clocks_since "$_clocks")
	row "folder $_words $_spent $(own_since "$_name" "$_before")"
	RAN=$((RAN + 1))
}
# Each ends when the data is with the lower file system, or begins when none is in memory.
write_file() { dd if=$from/file of=/mnt/crypt/file bs=$FILE_BLOCK conv=fsync; }
write_tree() { cp -r $from/tree /mnt/crypt/tree && sync -f /mnt/crypt; }
read_file() { dd if=/mnt/crypt/file of=/dev/null bs=$FILE_BLOCK; }
read_tree() { find /mnt/crypt/tree -type f -exec cat {} + >/dev/null; }

# source_make MIB: the folder that is written, with a large file of so many MiB, in $from; its bytes in $file_bytes, its digest
# in $source_digest.
source_make() {
	from=/tmp/source file_bytes=$(($1 << 20)) source_digest=$whole_digest
	[ "$1" -ne "$FILE_MIB" ] || return 0
	from=/tmp/source-$1
	if [ ! -e "$from" ]; then
		mkdir -p "$from"
		cp -rl /tmp/source/tree "$from/tree"
		head -c $file_bytes /tmp/source/file >"$from/file"
	fi
	source_digest=$(digest "$from")
}

for by in $(words "$FOLDER_BY"); do
	case $by in
	kgpu | stock | kgpu-together) ;;
	*) fail "folders are by kgpu, stock and kgpu-together" "guest_folder_by=$FOLDER_BY" ;;
	esac
done
[ "$FILE_MIB_KGPU" -le "$FILE_MIB" ] || FILE_MIB_KGPU=$FILE_MIB
expect_log "ecryptfs: loading out-of-tree module taints kernel"
mkdir -p /tmp/source /mnt/crypt
head -c $((FILE_MIB << 20)) /dev/urandom >/tmp/source/file
tree_make /tmp/source/tree "$TREE_FILES"
tree_bytes=$(find /tmp/source/tree -type f -exec cat {} + | wc -c)
same "the source tree's files" "$TREE_FILES" "$(find /tmp/source/tree -type f | wc -l)"
whole_digest=$(digest /tmp/source)

for folder in $(words "$FOLDERS"); do
	cipher=$(part 1 "$folder") key=$(part 2 "$folder")
	RAN=0
	for by in $(words "$FOLDER_BY"); do
		case $by in kgpu) source_make "$FILE_MIB_KGPU" ;; *) source_make "$FILE_MIB" ;; esac
		note "eCryptfs $cipher by $by"
		name="eCryptfs $cipher by $by"
		check "$name: its module" use_module $by
		prefer "cbc($cipher)" $by
		lower=/tmp/lower
		mkdir -p $lower
		before=$(own "cbc($cipher)")
		check "$name: mounts" ecryptfs_mount $lower /mnt/crypt "$cipher" "$key"
		folder_row $by "$cipher" "$key" file write "$file_bytes" 1 write_file
		folder_row $by "$cipher" "$key" tree write "$tree_bytes" "$TREE_FILES" write_tree
		check "$name: unmounts" umount /mnt/crypt
		# Mounted again, so that what was written is not in memory as plaintext.
		check "$name: mounts to read" ecryptfs_mount $lower /mnt/crypt "$cipher" "$key"
		folder_row $by "$cipher" "$key" file read "$file_bytes" 1 read_file
		folder_row $by "$cipher" "$key" tree read "$tree_bytes" "$TREE_FILES" read_tree
		check "$name: unmounts" umount /mnt/crypt
		computed=$(own_since "cbc($cipher)" "$before")
		case $by in
		kgpu*) check "$name: the helper computed, and all of it" sh -c "echo '$computed' | grep -q 'by-helper=[1-9].* by-fallback=0 '" ;;
		stock) same "$name: kgpu computed nothing" "by-helper=0 by-fallback=0 zero-copy=0" "$computed" ;;
		esac
		case $by in
		*-together)
			most=$(cat /sys/module/ecryptfs/parameters/most_in_flight)
			check "$name: $most extents were under way together" [ "$most" -gt 16 ]
			;;
		esac
		# Read by the other one, with the stock module; where kgpu with that is not to do all of a large file, with ours.
		case $by in
		kgpu*) other=stock ;;
		*) if [ "$FILE_MIB_KGPU" -lt "$FILE_MIB" ]; then other=kgpu-together; else other=kgpu; fi ;;
		esac
		check "$name: the module of $other to compare" use_module $other
		prefer "cbc($cipher)" $other
		check "$name: mounts by $other" ecryptfs_mount $lower /mnt/crypt "$cipher" "$key"
		same "$name: $other reads what was written" "$source_digest" "$(digest /mnt/crypt)"
		check "$name: unmounts from $other" umount /mnt/crypt
		rm -rf $lower
	done
	prefer "cbc($cipher)" stock
	same "eCryptfs $cipher: every run" $((4 * $(words "$FOLDER_BY" | wc -w))) $RAN
done
rm -rf /tmp/source /tmp/source-*
