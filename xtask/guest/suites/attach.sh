# A helper attaches, passes the module's known answers, serves, and leaves when asked or killed.
. /suite/lib.sh

phase kgpu
load
same "no helper at first" "no helper" "$(state)"
start_helper --backend cpu
same "the helper is live" live "$(state)"
table <$STATUS
check "the helper ends cleanly on SIGTERM" stop_helper
check "its session ends" wait_for_state "no helper"
start_helper --backend cpu
same "another one is live" live "$(state)"
kill_helper
check "a killed helper's session ends" wait_for_state "no helper"
cat /tmp/helper.log
unload
