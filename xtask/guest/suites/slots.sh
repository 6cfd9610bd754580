# Key slots under pressure: 20,000 eCryptfs inodes, each with a transform of its own, and a flood of AF_ALG
# requests by an ordinary user where the kernel lets them reach kgpu, beside a volume that fio verifies.
. /suite/lib.sh
. /suite/volumes.sh
. /suite/chain.sh

# All of it on one kernel, a sample on the others: emulation is slow.
case $(uname -r) in
6.12.*) FILES=20000 ;;
*) FILES=2000 ;;
esac
mkdir -p /mnt/luks /mnt/lower /mnt/crypt

# once_with WHO: the volumes and mounts of this suite, once, so that the logs can be compared.
once_with() {
	mount -t tmpfs -o size=600m,nr_inodes=100k lower /mnt/lower
	check "eCryptfs mounts with $1" ecryptfs_mount /mnt/lower /mnt/crypt twofish 32
	disk=$(disk "$1" 64)
	check "a volume with $1: made" luks_format "$disk" twofish-xts-plain64 512 4096
	check "a volume with $1: opens" luks_open "$disk" vol
	check "a volume with $1: ext4" mkfs.ext4 -q /dev/mapper/vol
	check "a volume with $1: mounts" mount -t ext4 /dev/mapper/vol /mnt/luks
}
away() {
	check "eCryptfs unmounts" umount /mnt/crypt
	check "the volume unmounts" umount /mnt/luks
	check "the volume closes" luks_close vol
	umount /mnt/lower
}

phase stock
once_with stock
away

phase kgpu
load priority='*=1000' crossover='*=0' deadline_ms=60000 full_ms=1000 key_slots=64
start_helper
once_with kgpu

head -c 16384 /dev/urandom >/tmp/plain
chmod 644 /tmp/plain
cat >/tmp/flood.sh <<'END'
while [ ! -e /tmp/enough ]; do
	head -c 32 /dev/urandom >/tmp/key."$1"
	kcapi-enc -e -c cbc-twofish-kgpu --iv 00112233445566778899aabbccddeeff --keyfd 7 -i /tmp/plain -o /tmp/flood."$1" 7</tmp/key."$1" || : >/tmp/flood.failed
	[ "$(wc -c </tmp/flood."$1")" -eq 16384 ] || : >/tmp/flood.failed
	rm -f /tmp/flood."$1"
	echo one >>/tmp/flood.count."$1"
done
END
rm -f /tmp/enough
if af_alg_takes cbc-twofish-kgpu 32; then
	# The flood is an ordinary user's: its share of slots and pool is not root's.
	for i in 1 2; do setpriv --reuid=1000 --regid=1000 --clear-groups sh /tmp/flood.sh $i & done
else
	without_af_alg "an ordinary user's flood of AF_ALG requests" 'cbc(twofish)' 32
fi
(while [ ! -e /tmp/enough ]; do fio_verify /mnt/luks/fio 4 >/tmp/fio.out 2>&1 || : >/tmp/fio.failed; done) &
fio=$!

note "writing $FILES files"
i=0
while [ $i -lt $FILES ]; do
	i=$((i + 1))
	echo "file number $i" >/mnt/crypt/$i || break
done
same "every file was written" $FILES $i
sync
echo 1 >/proc/sys/vm/drop_caches
note "reading them again"
i=0
wrong=0
while [ $i -lt $FILES ]; do
	i=$((i + 1))
	read -r line </mnt/crypt/$i
	[ "$line" = "file number $i" ] || wrong=$((wrong + 1))
done
same "every file reads as it was written" 0 $wrong
: >/tmp/enough
wait $fio
wait_until 60 sh -c '! pidof kcapi-enc'
check "fio verified beside it, without an error" [ ! -e /tmp/fio.failed ]
if [ -e /tmp/flood.count.1 ]; then
	check "the flood got its answers" [ ! -e /tmp/flood.failed ]
	check "the flood was one" [ "$(cat /tmp/flood.count.* | wc -l)" -gt 100 ]
fi
check "keys were filled into slots again and again" [ "$(counter key-fills)" -gt $((FILES / 2)) ]
served 'cbc(twofish)' 1000000 "eCryptfs and the flood"
served 'xts(twofish)' 1000000 "the volume"
result_table
for a in $(awk '/\.errors / && $2 > 0 { print $1 }' $COUNTERS); do fail "no request failed" "$a"; done
away
stop_helper
unload
