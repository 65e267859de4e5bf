. "${LIB:-$(dirname "$0")/../lib.sh}"
mkdir -p c q data; cp -r /etc/postfix/. c/ 2>/dev/null; cp /usr/share/postfix/main.cf.debian c/main.cf 2>/dev/null; cp /usr/share/postfix/master.cf.dist c/master.cf; chown postfix data
base() { cat > c/main.cf <<C
compatibility_level = 3.6
queue_directory = ${Q:-$W/q}
data_directory = $W/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = host-1
mydestination = localhost
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
maillog_file = $W/mail.log
maillog_file_prefixes = /srv
relayhost = ${RELAY:-[127.0.0.1]:7599}
alias_maps = hash:$W/c/aliases
alias_database = hash:$W/c/aliases
minimal_backoff_time = 2s
queue_run_delay = 2s
smtp_connect_timeout = 2s
import_environment = MAIL_CONFIG
local_transport = error:no local mail
${MORE:-}
C
}
sed -i 's/^smtp  *inet.*/127.0.0.1:7590 inet n - n - - smtpd/; s/^\(\S*\s*\S*\s*\S*\s*\S*\s*\)y\(\s\)/\1n\2/' c/master.cf; grep -q ^postlog c/master.cf || echo 'postlog unix-dgram n - n - 1 postlogd' >> c/master.cf
echo 'postmaster: root' > c/aliases; base; postalias c/aliases
run() { base; postfix -c $W/c start >>out 2>&1; wait_port 7590; }
halt() { postfix -c $W/c stop >>out 2>&1; sleep 1; }
send() { python3 - "$@" <<'P'
import smtplib, sys
try:
    s = smtplib.SMTP("127.0.0.1", 7590, timeout=5)
    s.sendmail("shop@example.com", [sys.argv[1]], "Subject: order\r\n\r\nhello " + "x" * int(sys.argv[2] if len(sys.argv) > 2 else 1))
except Exception as e: print(e)
P
}
sink() { smtp-sink -u postfix $2 127.0.0.1:7599 50 >/dev/null 2>&1 & K=$!; wait_port 7599; }
sink 1 ''; run; send ann@example.com; send bob@example.com; printf 'EHLO x\r\nQUIT\r\n' | timeout 2 bash -c 'cat >/dev/tcp/127.0.0.1/7590'; sleep 2; halt; stop $K; cp mail.log $OUT/noise.log; : > mail.log
run; for i in 1 2; do send ann@example.com; done; sleep 4; halt
sink 1 '-f rcpt'; run; send bob@example.com; sleep 3; halt; stop $K; sink 1 '-r rcpt'; run; send carl@example.com; sleep 3; halt; stop $K
RELAY= run; send dora@nowhere.invalid; sleep 3; halt
MORE='message_size_limit = 2000'; run; send ann@example.com 9000; halt
MORE='virtual_alias_maps = hash:/nowhere/map'; run; send ann@example.com; sleep 2; halt
MORE='smtpd_tls_security_level = may
smtpd_tls_cert_file = /nowhere/c.pem
smtpd_tls_key_file = /nowhere/k.pem'; run; send ann@example.com; halt; MORE='nonsense_thing = 1
inet_interfaces = 203.0.113.9'; base; postfix -c $W/c start >>out 2>&1; sleep 2; postfix -c $W/c stop >>out 2>&1; MORE=
taken 7590; base; postfix -c $W/c start >>out 2>&1; sleep 3; stop $TAKEN; halt
small_disk $W/full 3m; Q=$W/full run; head -c 2700000 /dev/zero > full/x; send ann@example.com; sleep 1; halt; umount full
cp mail.log $OUT/failed.log
