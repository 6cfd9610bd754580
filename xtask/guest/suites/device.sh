# The device's refusals, and that a good helper works after all of them. Helpers that lie: lies.sh.
. /suite/lib.sh
. /suite/sample.sh

phase kgpu
load deadline_ms=3000 crossover='*=0' pool_mib=8

note "refusals"
same "mode of the device" 600 "$(stat -c %a /dev/kgpu)"
same "another user is refused with EACCES" "errno 13" "$(setpriv --reuid=1000 --regid=1000 --clear-groups kgpu-guest open)"
kgpu-guest errnos >/tmp/errnos 2>&1
same "the refusals ran to their end" "pass a hundred refusals give ten lines" "$(tail -n 1 /tmp/errnos)"
told /tmp/errnos

start_helper
check_fails "a second helper is refused" kgpu serve
check_fails "the module stays while a helper has it open" rmmod kgpu
stop_helper
wait_for_state "no helper"

note "a good helper"
start_helper
before=$(counted '[.]helper[.]requests')
sample "good helper: every result is right" requests=500 seed=34
grows "good helper: it works" '[.]helper[.]requests' "$before"
same "no request failed in all this" 0 "$(counted '[.]errors')"
same "log has no other level than notice for what we provoked" "" "$(dmesg -r | sed -n 's/^<\([0-4]\)>.*\] kgpu: /\1 /p' | grep -v 'loading out-of-tree\|module verification' | head -n 3)"
stop_helper
wait_for_state "no helper"
unload
