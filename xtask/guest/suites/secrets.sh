# What is left of keys and data in memory. A user of the crypto API has a known key and plaintext; another process looks
# for them, and for expanded keys, in the helper's memory, in the shared region and in all of the machine's memory.
. /suite/lib.sh
. /suite/chain.sh
. /suite/sample.sh

PARAMETERS=/sys/module/kgpu/parameters

# order TEXT: has the holder do something, and waits until it has.
order() {
	echo "$1" >&3
	IFS= read -r _answer <&4
	[ "$_answer" = "done $1" ]
}
# holder_start DRIVER KEYBYTES; holder_end
holder_start() {
	rm -f /tmp/orders /tmp/answers
	mkfifo /tmp/orders /tmp/answers
	kgpu-guest residue hold "$1" --key-bytes "$2" </tmp/orders >/tmp/answers 2>/tmp/holder.err &
	HOLDER=$!
	exec 3>/tmp/orders 4</tmp/answers
	IFS= read -r _answer <&4
	[ "$_answer" = open ]
}
holder_end() {
	exec 3>&-
	wait $HOLDER
	_rc=$?
	exec 4<&-
	return $_rc
}

# look WHERE...: scans, and keeps what was found in /tmp/found.
look() {
	kgpu-guest residue scan "$@" >/tmp/found 2>/tmp/look.err || {
		fail "looking into memory" "$(tail -n 1 /tmp/look.err)"
		return
	}
}
# found PATTERNS [PLACES]: how many of the patterns were found, in places that match (extended regular expressions).
found() { awk -v p="^($1)$" -v w="^(${2:-.*})$" '$1 ~ p && $2 ~ w { n += $3 } END { print n + 0 }' /tmp/found; }
# told LABEL: what was found, as rows.
told() {
	_what=$(awk '$1 != "scanned" { printf "%s%s in %s: %d", sep, $1, $2, $3; sep = ", " }' /tmp/found)
	row "$1: ${_what:-nothing} (of $(awk '$1 == "scanned" { print int($2 / 1048576) }' /tmp/found) MiB)"
}
# clean LABEL PATTERNS: nothing of it is in the helper's memory or the region.
clean() {
	look --pid "$HELPER"
	told "helper and region, $1"
	same "$1: no key and no schedule in the region or the helper" 0 "$(found "$2")"
}
# settled: the helper has dropped what it no longer needs: it looks at every sleep, a second apart.
settled() { sleep 1.5; }

KEYS='key[0-3]-(low|high|tweak)|aes-schedule|twofish-schedule'

phase stock
modprobe algif_skcipher

phase kgpu
load priority='*=1000' crossover='*=0' deadline_ms=60000 full_ms=60000 pool_mib=4 key_slots=2 share_percent=100
if ! af_alg_takes cbc-aes-kgpu 32; then
	without_af_alg "keys and data of a user of the crypto API" 'cbc(aes)' 32
	unload
	exit 0
fi
start_helper --workers 2

for what in "cbc-aes-kgpu 32 aes 1000" "xts-twofish-kgpu 64 twofish 1000"; do
	set -- $what
	note "$1"
	look --pid "$HELPER"
	same "$1: nothing before" 0 "$(found "$KEYS")"
	check "$1: a user" holder_start "$1" "$2"
	fills=$(counter key-fills) requests=$(counted '\.helper\.requests$')
	check "$1: a key is set" order "key 0"
	check "$1: $4 requests" order "run $4"
	same "$1: the helper computed all of them" "$4" $(($(counted '\.helper\.requests$') - requests))
	same "$1: the key crossed once" 1 $(($(counter key-fills) - fills))
	look --pid "$HELPER"
	told "$1, in use"
	check "$1, in use: the key is found in the region" [ "$(found key0-low region:control)" -eq 1 ]
	check "$1, in use: its schedule is found in the helper" [ "$(found "$3-schedule" 'heap|memory')" -ge 1 ]
	same "$1, in use: not where the helper could not clear it" 0 "$(found "$KEYS" 'region:(helper|pool)|file')"

	check "$1: another key is set" order "key 1"
	check "$1: it is used" order "run 8"
	settled
	clean "$1, after a rekey" "key0-.*|aes-schedule|twofish-schedule"
	check "$1: the first key again" order "key 0"
	check "$1: it is used" order "run 8"
	look --pid "$HELPER"
	check "$1: it is found again" [ "$(found key0-low region:control)" -eq 1 ]
	check "$1: the transform is freed" order close
	settled
	clean "$1, after the transform was freed" "$KEYS"
	check "$1: the user ends" holder_end
done

note "eviction: 2 slots, 3 keys"
check "a user" holder_start cbc-aes-kgpu 32
check "with key 0" order "key 0"
check "it computes" order "run 8"
for n in 1 2; do
	kgpu-guest residue hold cbc-aes-kgpu --key-bytes 32 >/tmp/other.out 2>&1 <<-END
		key $n
		run 8
	END
	check "another user, with key $n" [ $? -eq 0 ]
done
settled
look --pid "$HELPER"
told "after others came and went"
# Freed slots come first: the first user's key may still be there. A flood of users that stay evicts it.
(
	printf 'key 1\nrun 8\n'
	sleep 8
) | kgpu-guest residue hold cbc-aes-kgpu --key-bytes 32 >/tmp/other1.out 2>&1 &
one=$!
(
	printf 'key 2\nrun 8\n'
	sleep 8
) | kgpu-guest residue hold cbc-aes-kgpu --key-bytes 32 >/tmp/other2.out 2>&1 &
two=$!
check "two users hold keys 1 and 2" wait_until 6 sh -c 'grep -q "done run" /tmp/other1.out && grep -q "done run" /tmp/other2.out'
settled
look --pid "$HELPER"
told "after an eviction"
same "evicted: no key 0 and no schedule of it in the region or the helper" 0 "$(found "key0-.*|aes-schedule")"
same "the others' keys are there" 2 "$(found 'key[12]-low' region:control)"
fills=$(counter key-fills)
check "the evicted key is used again" order "run 8"
same "it crossed once more" 1 $(($(counter key-fills) - fills))
wait $one $two
check "the user ends" holder_end

note "the helper leaves"
check "a user" holder_start xts-twofish-kgpu 64
check "with key 0" order "key 0"
check "it computes" order "run 64"
look --pid "$HELPER"
told "pool, in use"
kgpu-guest residue pages "$HELPER" >/tmp/frames
check "its page frames are known" [ "$(grep -c region:pool /tmp/frames)" -eq 1024 ]
look --pages /tmp/frames
check "through them the key is found in the region" [ "$(found key0-low 'region:control:.*')" -eq 1 ]
check "and the schedule in the helper" [ "$(found twofish-schedule '(heap|memory):.*')" -ge 1 ]
stop_helper
wait_for_state "no helper" 20
look --pages /tmp/frames
told "frames of a helper that ended"
same "ended: nothing in frames of the region" 0 "$(found '.*' 'region:.*')"
same "ended: no key and no schedule in frames of the helper" 0 "$(found "$KEYS")"

check "the user ends" holder_end
settled
# In pages that were freed, and where the kernel saved the registers of threads that ended, too.
look --kernel
told "all memory, after helper and user ended"
same "ended: no key and no schedule in any memory" 0 "$(found "$KEYS")"

note "the helper is killed"
start_helper --workers 2
check "a user" holder_start xts-twofish-kgpu 64
check "with key 0" order "key 0"
check "it computes with a new helper" order "run 64"
# One that is killed at work leaves what is on its stacks and in its registers as well: SECURITY.md.
settled
kgpu-guest residue pages "$HELPER" >/tmp/frames
kill_helper
wait_for_state "no helper" 20
look --pages /tmp/frames
told "frames of a helper that was killed"
same "killed: nothing in frames of the region" 0 "$(found '.*' 'region:.*')"
check "the user ends" holder_end
settled
look --kernel --apart /tmp/frames
told "all memory, in the end"
same "no key in any memory" 0 "$(found 'key[0-3]-.*')"
# In pages of the killed helper, which the kernel zeroes before it gives them to anybody, and nowhere else.
same "no schedule but in page frames that the killed helper had" "$(found '.*-schedule' listed)" "$(found '.*-schedule')"
unload
