# The main job as functions: volumes and eCryptfs folders written by one side and read by the other.
# `. /suite/chain.sh` after lib.sh and volumes.sh.
. /suite/hosted.sh

COUNTERS=/sys/kernel/debug/kgpu/counters
# Volumes as name:cipher:keybits:sector, eCryptfs folders as cipher:keybytes.
VOLUMES="tw512:twofish-xts-plain64:512:512 tw4k:twofish-xts-plain64:512:4096 aes512:aes-xts-plain64:512:512 aes4k:aes-xts-plain64:512:4096"
FOLDERS="aes:32 twofish:32 blowfish:16"

# counter NAME: a counter of the module, 0 if there is none.
counter() {
	awk -v name="$1" '$1 == name { value = $2 } END { printf "%.0f\n", value }' $COUNTERS
}

# part N OF "A:B:C": the N-th part.
part() { echo "$2" | cut -d: -f"$1"; }

# volume_make DISK VOLUME MIB FIO_MIB: formats, fills, lets fio verify; the digest of the files goes to /tmp/digest.NAME.
volume_make() {
	_vol=$(part 1 "$2")
	check "$_vol: LUKS2 volume ($(part 2 "$2"), $(part 4 "$2")-byte sectors) is made" \
		luks_format "$1" "$(part 2 "$2")" "$(part 3 "$2")" "$(part 4 "$2")"
	check "$_vol: it opens" luks_open "$1" vol
	check "$_vol: ext4 is made" mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 /dev/mapper/vol
	check "$_vol: ext4 mounts" mount -t ext4 /dev/mapper/vol /mnt/luks
	fill /mnt/luks/data "$3"
	[ "$4" -eq 0 ] || check "$_vol: fio verifies $4 MiB" fio_verify /mnt/luks/fio "$4"
	digest /mnt/luks/data >/tmp/digest."$_vol"
	check "$_vol: ext4 unmounts" umount /mnt/luks
	check "$_vol: the volume closes" luks_close vol
}

# volume_read DISK VOLUME WHO: opens it and compares the files with what the other side wrote.
volume_read() {
	_vol=$(part 1 "$2")
	check "$_vol: opens with $3" luks_open "$1" vol
	check "$_vol: ext4 is sound" e2fsck -fn /dev/mapper/vol
	check "$_vol: ext4 mounts" mount -t ext4 -o ro /dev/mapper/vol /mnt/luks
	same "$_vol: identical sha256 with $3" "$(cat /tmp/digest."$_vol")" "$(digest /mnt/luks/data)"
	check "$_vol: ext4 unmounts" umount /mnt/luks
	check "$_vol: the volume closes" luks_close vol
}

# folder_write FOLDER LOWER MIB; folder_read FOLDER LOWER WHO: the same for eCryptfs.
folder_write() {
	mkdir -p "$2" /mnt/crypt
	check "eCryptfs $1: mounts" ecryptfs_mount "$2" /mnt/crypt "$(part 1 "$1")" "$(part 2 "$1")"
	fill /mnt/crypt/data "$3"
	digest /mnt/crypt/data >/tmp/digest."$(basename "$2")"
	check "eCryptfs $1: unmounts" umount /mnt/crypt
}
folder_read() {
	check "eCryptfs $1: mounts with $3" ecryptfs_mount "$2" /mnt/crypt "$(part 1 "$1")" "$(part 2 "$1")"
	same "eCryptfs $1: identical sha256 with $3" "$(cat /tmp/digest."$(basename "$2")")" "$(digest /mnt/crypt/data)"
	check "eCryptfs $1: unmounts" umount /mnt/crypt
}

# served ALGORITHM BYTES WHAT: the helper has computed at least so many bytes of an algorithm.
served() {
	_bytes=$(counter "$1.helper.bytes")
	if [ "$_bytes" -ge "$2" ]; then ok "$3: the helper computed $_bytes bytes of $1"; else
		fail "$3: the helper computed $1" "$_bytes bytes, at least $2 expected"
	fi
}

# selftests_passed: each of our drivers has passed the kernel's self-tests, and there are as many as the status file
# names. The last one registered may still be at it.
passed_selftests() {
	awk '/^driver/ { d = $3 } /^selftest/ { if (d ~ /-kgpu$/ && $3 == "passed") n++ } END { print n + 0 }' /proc/crypto
}
all_selftests_passed() { [ "$(passed_selftests)" -eq "$_want" ]; }
selftests_passed() {
	_want=$(awk '$2 ~ /-kgpu$/ && $1 ~ /\(/' $STATUS | wc -l)
	wait_until 60 all_selftests_passed
	same "self-tests of $_want drivers passed" "$_want" "$(passed_selftests)"
}

# known_answers_passed: the helper gave right answers for every algorithm.
known_answers_passed() {
	_missing=$(awk '/\.known-answers / && $2 == 0 { print $1 }' $COUNTERS)
	same "known answers passed through the helper for every algorithm" "" "$_missing"
}

# load_start FILE MIB [ARGS...]: fio writes and verifies a file again and again; load_stop LABEL: until here, without an error. One
# process from beginning to end: one that starts gives up if it takes longer than 5 s, as it does when it is frozen then.
load_start() {
	(
		# In place of the shell that would wait for it, so that signals reach it.
		fio() { exec fio "$@"; }
		fio_verify "$@" --loops=1000000
	) >/tmp/load.out 2>&1 &
	LOAD=$!
}
load_stop() {
	# More than once: one that has just begun to start does not hear the first.
	wait_until 30 load_ended || kill -KILL $LOAD
	wait $LOAD
	# Fio's own answer to the signal; an error adds to it.
	_rc=$?
	if [ $_rc -eq 128 ]; then ok "$1"; else fail "$1" "fio gave $_rc: $(tail -n 3 /tmp/load.out | cut -c1-300)"; fi
}
load_ended() {
	kill -INT $LOAD || return 0
	sleep 0.3
	! kill -0 $LOAD
}
# load_runs LABEL: it is still there, so that what waits for it to do something need not wait in vain.
load_runs() { check "$1" kill -0 $LOAD; }

# kill_in_flight LABEL: SIGKILL to the helper at a moment when it has requests in flight, and no helper afterwards.
# Under load a kill may fall between two requests: then again, with a new helper.
kill_in_flight() {
	if hosted; then
		_before=$(counter taken-over)
		_dead=$(field helper)
		kill_hosted
		check "$1: the helper of another device is live" wait_until 60 live_is_not "$_dead"
		only_the_connection
		_lost=$(($(counter taken-over) - _before))
		check "$1: SIGKILL with $_lost requests in flight" [ $_lost -gt 0 ]
		return
	fi
	for _try in 1 2 3 4 5 6 7 8; do
		_before=$(counter taken-over)
		kill_helper
		wait_for_state "no helper" 20
		_lost=$(($(counter taken-over) - _before))
		if [ $_lost -gt 0 ]; then
			ok "$1: SIGKILL with $_lost requests in flight"
			return
		fi
		[ $_try -eq 8 ] || start_helper
		sleep 0.$_try
	done
	fail "$1: SIGKILL with requests in flight"
}

# result_table: what every algorithm's requests came to, from the module's counters.
result_table() {
	awk '
		function key(name) { if (!(name in seen)) { seen[name] = 1; order[++n] = name } }
		match($1, /\.(helper|fallback|errors|known-answers)/) {
			name = substr($1, 1, RSTART - 1); rest = substr($1, RSTART + 1); key(name)
			if (rest == "helper.requests") hr[name] = $2
			if (rest == "helper.bytes") hb[name] = $2
			if (rest == "errors") err[name] = $2
			if (rest == "known-answers") ka[name] = $2
			if (rest ~ /^fallback.*requests$/ && $2 > 0) {
				why = rest; sub(/^fallback\./, "", why); sub(/\.requests$/, "", why)
				fr[name] += $2; reason[name] = reason[name] " " why "=" $2
			}
			if (rest ~ /^fallback.*bytes$/) fb[name] += $2
		}
		# As %d some awks know no numbers beyond 2 GiB.
		END {
			printf "%-14s %10s %12s %10s %12s %10s %12s %7s %6s  %s\n", "algorithm", "requests", "bytes", "helper", "bytes", "fallback", "bytes", "errors", "known", "fallback because"
			for (i = 1; i <= n; i++) { a = order[i]
				printf "%-14s %10.0f %12.0f %10.0f %12.0f %10.0f %12.0f %7.0f %6.0f %s\n", a, hr[a] + fr[a], hb[a] + fb[a], hr[a], hb[a], fr[a], fb[a], err[a], ka[a], reason[a] }
		}' $COUNTERS | table
}
