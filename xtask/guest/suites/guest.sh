# host-helpers: 2
# A guest whose helpers run on its host, each behind a virtio device: requests, a LUKS2 volume, the death of one helper under
# load and the other in its place, the driver's end and new beginning.
. /suite/lib.sh
. /suite/hosted.sh
. /suite/sample.sh
. /suite/volumes.sh

logged() { dmesg | grep -q "$1"; }
right_so_far() {
	same "no request failed, and no helper failed one" 0 "$(counted '([.]errors|fallback[.]failed[.]requests)')"
	same "no completion was refused, no ring word wrong" 0 "$(counted '^(rejected|ring-errors)[.]')"
}

phase kgpu
# Where the devices are on a bus of their own kernel's, as in User-Mode Linux, there is none of it.
modprobe -q virtio_pci
# Long: the death of a helper is seen by its connection, and a busy host is no finding.
load deadline_ms=300000
check "a helper on the host is live" wait_for_state live 60
first=$(field helper)
case $first in
"guest device virtio"[01]) ok "the status file names its device" ;;
*) fail "the status file names its device" "helper: $first" ;;
esac
check "the other device waits" wait_until 20 logged "guest device virtio[01]: waits: another helper is attached"
same "one session" 1 "$(counted '^sessions$')"

echo '*=0' >/sys/module/kgpu/parameters/crossover
sample "2,000 mixed requests are right" requests=2000 seed=2
same "the helper worked for every algorithm" "" "$(awk '/\.helper\.requests / && $2 == 0 { print $1 }' $COUNTERS)"
sample "one request at a time, each with its wake-ups" depth=1 requests=300 seed=3
right_so_far

phase luks
# The loop device cannot zero on a file in memory.
expect_log "operation not supported error, dev loop"
# Of whatever loads the device mapper first.
expect_log "CONFIG_IMA_DISABLE_HTABLE is disabled"
echo 'xts(twofish)=4000' >/sys/module/kgpu/parameters/priority
disk=$(disk luks 64)
bytes=$(counted '^xts[(]twofish[)][.]helper[.]bytes$')
check "luksFormat" luks_format "$disk" twofish-xts-plain64 512 4096
check "open" luks_open "$disk" secret
check "mkfs" mkfs.ext4 -q /dev/mapper/secret
mkdir -p /mnt/secret
check "mount" mount -t ext4 /dev/mapper/secret /mnt/secret
fill /mnt/secret 4
digest=$(digest /mnt/secret)
grows "the volume's data went through the host" '^xts[(]twofish[)][.]helper[.]bytes$' $((bytes + 6000000)) 60
right_so_far

phase death
# Where the machine does not say that a helper is gone, deadlines do.
[ ! -e /sys/bus/pci ] || echo 5000 >/sys/module/kgpu/parameters/deadline_ms
sample_start seed=5
kill_hosted
if [ -e /sys/bus/pci ]; then
	sample_end "every result is right while a helper dies"
	grows "the kernel's own ciphers did what the dead one had" 'fallback[.]deadline[.]requests' 0
else
	check "the other device's helper is live in its place" wait_until 60 live_is_not "$first"
	sleep 1
	sample_end "every result is right while a helper dies"
	grows "the kernel's own ciphers did what the dead one had" 'fallback[.]death[.]requests' 0
	same "two sessions" 2 "$(counted '^sessions$')"
fi
same "no request failed" 0 "$(counted '[.]errors$')"
same "the data are as they were" "$digest" "$(digest /mnt/secret)"
only_the_connection

phase end
check "umount" umount /mnt/secret
check "close" luks_close secret
echo 'xts(twofish)=0' >/sys/module/kgpu/parameters/priority
case $(driver 'xts(twofish)') in
*kgpu*) fail "the stock driver comes first" ;;
*) ok "the stock driver comes first" ;;
esac
check "open by the kernel's own cipher" luks_open "$disk" secret
check "mount again" mount -t ext4 -o ro /dev/mapper/secret /mnt/secret
same "it reads what the helpers wrote" "$digest" "$(digest /mnt/secret)"
umount /mnt/secret
luks_close secret

before=$(cut -d. -f1 /proc/uptime)
unload
after=$(($(cut -d. -f1 /proc/uptime) - before))
if [ $after -ge 8 ]; then ok "the region was kept for its time: $after s"; else fail "the region was kept for its time" "$after s"; fi
if [ -e /sys/bus/pci ]; then
	note "not tried: the driver's new beginning, as QEMU 11 aborts when a device is started whose helper died"
else
	load deadline_ms=300000
	check "the device is found anew" wait_for_state live 60
	same "one session more" 1 "$(counted '^sessions$')"
	unload
fi
