# The guest itself, with the stock kernel alone: modules load on demand, volumes open, tools run.
# When this fails, so will the others, and kgpu is not the reason.
. /suite/lib.sh
. /suite/volumes.sh

phase stock
disk=$(disk luks 64)
mkdir -p /mnt/luks /mnt/plain /mnt/crypt
check "LUKS2 twofish volume is made" luks_format "$disk" twofish-xts-plain64 512 4096
check "it opens" luks_open "$disk" vol
check "its cipher was loaded on demand" loaded twofish_avx_x86_64
check "ext4 is made" mkfs.ext4 -q /dev/mapper/vol
check "ext4 mounts" mount -t ext4 /dev/mapper/vol /mnt/luks
fill /mnt/luks/data 8
before=$(digest /mnt/luks/data)
check "fio verifies" fio_verify /mnt/luks/fio 8
check "ext4 unmounts" umount /mnt/luks
check "the volume closes" luks_close vol
check "it opens again" luks_open "$disk" vol
check "ext4 is sound" e2fsck -fn /dev/mapper/vol
check "ext4 mounts again" mount -t ext4 /dev/mapper/vol /mnt/luks
same "the files are the same" "$before" "$(digest /mnt/luks/data)"

for cipher in aes:32 twofish:32 blowfish:16; do
	name=${cipher%:*}
	mkdir -p /mnt/luks/lower-"$name"
	check "eCryptfs $name mounts" ecryptfs_mount /mnt/luks/lower-"$name" /mnt/crypt "$name" "${cipher#*:}"
	fill /mnt/crypt/data 1
	before=$(digest /mnt/crypt/data)
	check "eCryptfs $name unmounts" umount /mnt/crypt
	check "eCryptfs $name mounts again" ecryptfs_mount /mnt/luks/lower-"$name" /mnt/crypt "$name" "${cipher#*:}"
	same "eCryptfs $name keeps the files" "$before" "$(digest /mnt/crypt/data)"
	check "eCryptfs $name unmounts again" umount /mnt/crypt
done
check "ext4 unmounts at the end" umount /mnt/luks
check "the volume closes at the end" luks_close vol

printf 0123456789abcdef >/tmp/key
printf 0123456789abcdef >/tmp/plain
check "AF_ALG ciphers" sh -c 'kcapi-enc -e -c "ecb(aes)" --keyfd 7 -i /tmp/plain -o /tmp/cipher 7</tmp/key'
check "a keyring" keyctl show
check "another user" setpriv --reuid=1000 --regid=1000 --clear-groups true
check "dmsetup" dmsetup targets
check "zram" modprobe zram
check "brd" modprobe brd
check "the helper's program runs" kgpu --help
