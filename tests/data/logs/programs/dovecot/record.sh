. "${LIB:-$(dirname "$0")/../lib.sh}"
conf() { cat > d.conf <<C
base_dir = $W/run
state_dir = $W/state
log_path = $W/d.log
protocols = imap
listen = 127.0.0.1
ssl = ${SSL:-no}
disable_plaintext_auth = no
mail_location = maildir:$W/mail/%u
default_internal_user = dovecot
first_valid_uid = 1
first_valid_gid = 1
default_login_user = dovenull
auth_mechanisms = plain
passdb {
  driver = passwd-file
  args = scheme=PLAIN ${USERS:-$W/users}
}
userdb {
  driver = static
  args = uid=8 gid=8 home=$W/mail/%u
}
service imap-login {
  inet_listener imap {
    port = 7610
  }
  inet_listener imaps {
    port = 0
  }
  ${LOGINMORE:-}
}
service imap {
  ${IMAP:-}
}
service stats {
  unix_listener stats-writer {
    mode = 0666
  }
}
${MORE:-}
C
}
echo 'ann:{PLAIN}secretpw' > users; chmod 644 users; mkdir -p mail; chown mail mail; chmod 755 .
run() { conf; dovecot -F -c $W/d.conf >>out 2>&1 & D=$!; wait_port 7610; }
imap() { python3 - "$@" <<'P'
import imaplib, sys, time
try:
    c = imaplib.IMAP4("127.0.0.1", 7610, timeout=8); c.login(sys.argv[1], sys.argv[2])
    c.append("INBOX", None, None, b"Subject: a\r\n\r\n" + b"x" * int(sys.argv[3] if len(sys.argv) > 3 else 1)); c.select(); c.fetch("1", "(BODY[])")
    if len(sys.argv) > 4: time.sleep(float(sys.argv[4]))
    c.logout()
except Exception as e: print(e)
P
}
run; imap ann secretpw; imap ann wrongpw; imap bob x; imap ann secretpw; stop $D; cp d.log $OUT/noise.log; : > d.log
run; for i in 1 2 3; do imap ann wrongpw; done; chmod 0 mail/ann/cur; chown root mail/ann/cur mail/ann/new mail/ann/tmp; chmod 0 mail/ann/tmp; imap ann secretpw; chown -R mail mail; chmod -R u+rwx mail; head -c 90 /dev/urandom > mail/ann/dovecot.index; head -c 900 /dev/urandom > mail/ann/dovecot.index.log; head -c 900 /dev/urandom > mail/ann/dovecot-uidlist; imap ann secretpw; stop $D
IMAP='process_limit = 1' run; (imap ann secretpw 1 4 &); sleep 1; (imap ann secretpw 1 1 &); sleep 5; stop $D; IMAP='vsz_limit = 24M' run; imap ann secretpw 9000000; stop $D; IMAP=
small_disk $W/mail 200k; chown mail mail; run; imap ann secretpw 900000; imap ann secretpw; stop $D; umount mail
mv users u; run; imap ann secretpw; stop $D; mv u users
MORE='mail_max_userip_connections = 1' run; (imap ann secretpw 1 3 &); sleep 1; imap ann secretpw; sleep 3; stop $D; MORE=
taken 7610; conf; timeout 4 dovecot -F -c $W/d.conf >>out 2>&1; stop $TAKEN; SSL=required MORE="ssl_cert = <$W/none.pem
ssl_key = <$W/none.key"; conf; timeout 4 dovecot -F -c $W/d.conf >>out 2>&1; SSL=no MORE='nonsense = 1'; conf; timeout 4 dovecot -F -c $W/d.conf >>out 2>&1
MORE=; run; sleep 1; imap ann secretpw 1 3 & sleep 1; kill -SEGV $(pgrep -x imap | head -1); kill -9 $(pgrep -f 'dovecot/auth' | head -1); sleep 3; stop $D
grep -v 'NOTE: \|default_' out > o2; cat d.log o2 > $OUT/failed.log
