# The main job on real input: a stock kernel's dm-crypt and eCryptfs served through kgpu, with the stock
# formats, both ways, and a helper that is killed in the middle.
. /suite/lib.sh
. /suite/volumes.sh
. /suite/chain.sh

# MiB of files in each volume that kgpu writes and in each that it reads, and requests of the sample caller.
FILES=${FILES:-12}
SMALL=${SMALL:-4}
REQUESTS=${REQUESTS:-10000}
mkdir -p /mnt/luks /mnt/crypt /mnt/lower

phase stock
for v in $VOLUMES; do
	disk=$(disk stock-"$(part 1 "$v")" 64)
	eval "STOCK_$(part 1 "$v")=$disk"
	volume_make "$disk" "$v" $SMALL 4
done
for f in $FOLDERS; do folder_write "$f" /tmp/lower-stock-"$(part 1 "$f")" 2; done

phase kgpu
load priority='*=1000' crossover='*=0' deadline_ms=20000 full_ms=20000
selftests_passed
start_helper
known_answers_passed
same "a stock name reaches kgpu by priority" xts-twofish-kgpu "$(driver 'xts(twofish)')"

note "1. LUKS2 volumes"
for v in $VOLUMES; do
	eval "disk=\$STOCK_$(part 1 "$v")"
	volume_read "$disk" "$v" kgpu
	new=$(disk kgpu-"$(part 1 "$v")" 96)
	eval "KGPU_$(part 1 "$v")=$new"
	volume_make "$new" "$v" $FILES 4
done
served 'xts(twofish)' $((2 * FILES << 20)) "LUKS2"
served 'xts(aes)' $((2 * FILES << 20)) "LUKS2"

note "2. eCryptfs"
for f in $FOLDERS; do
	cipher=$(part 1 "$f")
	folder_read "$f" /tmp/lower-stock-"$cipher" kgpu
	folder_write "$f" /tmp/lower-kgpu-"$cipher" 2
	served "cbc($cipher)" $((4 << 20)) "eCryptfs"
done

note "3. the sample caller, $REQUESTS requests"
check "the sample caller's requests equal the kernel's own ciphers" modprobe kgpu_sample requests=$REQUESTS
dmesg | grep -i 'kgpu_sample:' | tail -n 4 | sed 's/.*kgpu_sample: /  /' | table
check "the sample caller leaves" rmmod kgpu_sample
served crc32c 1 "CRC32C service"

note "4. the helper is killed under load"
check "tw4k: opens for the kill" luks_open "$KGPU_tw4k" vol
check "tw4k: ext4 mounts for the kill" mount -t ext4 /dev/mapper/vol /mnt/luks
load_start /mnt/luks/kill 8
sleep 2
kill_in_flight "fio under twofish-xts"
sleep 1
before=$(counter 'xts(twofish).helper.bytes')
start_helper
taken_over() { [ "$(counter 'xts(twofish).helper.bytes')" -gt "$before" ]; }
check "a new helper attached and took over" wait_until 60 taken_over
load_stop "fio: no I/O error, no wrong byte"
same "fio: data after the takeover" "$(cat /tmp/digest.tw4k)" "$(digest /mnt/luks/data)"
check "tw4k: unmounts after the kill" umount /mnt/luks
check "tw4k: closes after the kill" luks_close vol

for a in $(awk '/\.errors / && $2 > 0 { print $1 }' $COUNTERS); do fail "no request failed" "$a"; done
stop_helper
result_table

note "back to the stock ciphers"
unload
same "the stock driver is back" "" "$(grep -c kgpu /proc/crypto | grep -v '^0$')"
for v in $VOLUMES; do
	eval "disk=\$KGPU_$(part 1 "$v")"
	volume_read "$disk" "$v" "the stock cipher"
done
for f in $FOLDERS; do folder_read "$f" /tmp/lower-kgpu-"$(part 1 "$f")" "the stock cipher"; done
