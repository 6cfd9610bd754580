# The in-kernel benchmark: what callers get from kgpu and from the kernel's own best drivers, side by side in one
# kernel, as rows for `kgpu bench kernel`. No check is about time: they are about right results and about who computed.
#
# From the kernel's command line, guest_NAME=VALUE (lists with commas):
#   guest_plan      quick (default) or full: what the others are where they are not given
#   guest_steps     caller, disk, folder
#   guest_algorithms, guest_ops, guest_ways, guest_sizes, guest_depths, guest_ms, guest_mib: the caller's
#   guest_disks     as cipher:keybits:sector; guest_rw, guest_disk_depths, guest_disk_ms, guest_disk_mib; guest_disk_blocks:
#                   bytes of the blocks of sequential runs; guest_disk_volumes at once (default 1), each with its ram disk of
#                   guest_disk_mib, and guest_disk_jobs of fio for each (default 1); guest_disk_on=host: on the disks of
#                   `run.sh --disks`, whose bytes the host copies, rather than on ram disks of this kernel's (ram)
#   guest_folders   as cipher:keybytes; guest_file_mib, guest_tree_files; guest_folder_by: out of kgpu, stock, kgpu-together;
#                   guest_file_mib_kgpu: no more of the large file by `kgpu`, which does one extent after the other;
#                   guest_file_block: bytes of a read or write of it (default 1M)
#   guest_params    more parameters of the module, as poll_us=50;merge_kib=256
#   guest_backend   of `kgpu serve` in the guest (default cpu); `vhost-user`: the helper is the host's
. /suite/lib.sh
. /suite/volumes.sh
. /suite/chain.sh
. /suite/measure.sh

plan=$(cmdline guest_plan) || plan=quick
case $plan in
quick)
	SIZES=4096,65536 DEPTHS=1,32 MS=10 MIB=8 OPS=encrypt,decrypt
	DISK_DEPTHS=16 DISK_MS=200 DISK_MIB=16 DISK_BLOCKS=131072 FILE_MIB=4 FILE_MIB_KGPU= TREE_FILES=60
	;;
full)
	SIZES=512,4096,16384,65536,262144,1048576,4194304 DEPTHS=1,8,64,512 MS=150 MIB=512 OPS=encrypt,decrypt
	DISK_DEPTHS=1,8,32,128 DISK_MS=2000 DISK_MIB=512 DISK_BLOCKS=131072,1048576
	FILE_MIB=1024 FILE_MIB_KGPU=64 TREE_FILES=2000
	;;
*) fail "the plan is quick or full" "guest_plan=$plan" ;;
esac
SIZES=$(cmdline guest_sizes || echo $SIZES)
DEPTHS=$(cmdline guest_depths || echo $DEPTHS)
MS=$(cmdline guest_ms || echo $MS)
MIB=$(cmdline guest_mib || echo $MIB)
OPS=$(cmdline guest_ops || echo $OPS)
WAYS=$(cmdline guest_ways || echo pool,sg,stock)
DISKS=$(cmdline guest_disks || echo twofish:512:512,twofish:512:4096,aes:512:512,aes:512:4096)
RW=$(cmdline guest_rw || echo read,write,randread,randwrite)
DISK_DEPTHS=$(cmdline guest_disk_depths || echo $DISK_DEPTHS)
DISK_MS=$(cmdline guest_disk_ms || echo $DISK_MS)
DISK_MIB=$(cmdline guest_disk_mib || echo $DISK_MIB)
DISK_BLOCKS=$(cmdline guest_disk_blocks || echo $DISK_BLOCKS)
DISK_VOLUMES=$(cmdline guest_disk_volumes || echo 1)
DISK_ON=$(cmdline guest_disk_on || echo ram)
DISK_JOBS=$(cmdline guest_disk_jobs || echo 1)
FILE_BLOCK=$(cmdline guest_file_block || echo 1M)
FOLDERS=$(cmdline guest_folders || echo twofish:32,blowfish:16,aes:32)
FILE_MIB=$(cmdline guest_file_mib || echo $FILE_MIB)
FILE_MIB_KGPU=$(cmdline guest_file_mib_kgpu || echo ${FILE_MIB_KGPU:-$FILE_MIB})
FOLDER_BY=$(cmdline guest_folder_by || echo kgpu,stock,kgpu-together)
TREE_FILES=$(cmdline guest_tree_files || echo $TREE_FILES)
STEPS=$(cmdline guest_steps || echo caller,disk,folder)
PARAMS=$(cmdline guest_params | tr ';' ',')
BACKEND=$(cmdline guest_backend || echo cpu)
CPUS=$(grep -c ^processor /proc/cpuinfo)

phase kgpu
# Everything goes to the helper, as far as it has room, and waits for room: the question is what it does, not when to ask it.
load crossover='*=0' deadline_ms=60000 full_ms=60000 share_percent=100 pool_mib=$((MIB + 64)) ring_entries=4096 $(words "$PARAMS")
check "the measuring caller loads" modprobe kgpu_measure
start_helper --backend "$BACKEND"
echo "$HELPER" >/sys/module/kgpu_measure/parameters/helper
row "machine kernel=$(uname -r) cpus=$CPUS backend=$(field backend) helper=$(hosted && echo host || echo guest) plan=$plan disks=$DISK_ON${PARAMS:+ params=$PARAMS}"

for step in $(words "$STEPS"); do
	note "step $step"
	. /suite/measure-"$step".sh
done

for a in $(awk '/\.errors / && $2 > 0 { print $1 }' $COUNTERS); do fail "no request failed" "$a"; done
result_table
check "the measuring caller leaves" rmmod kgpu_measure
stop_helper
