# Runs one PostgreSQL for the tests of this machine: $1 its folder, $2 the folder of its programs.
# Tests hold a shared lock on the file "users" while they use it and take "start" before they look for it.
dir=$1 bin=$2 data=$1/data
cd "$dir" || exit 1
exec 5>alive
flock -n 5 || exit 0

# A supervisor that was killed may have left its server behind.
if [ -f "$data/postmaster.pid" ]; then
	"$bin/pg_ctl" -D "$data" -m immediate -w stop 5>&-
	rm -f "$data/postmaster.pid"
fi
# Databases that killed tests and older migrations have left are thrown away now and then, all at once.
if [ "$(du -sm "$data" 2>/dev/null | cut -f1)" -gt 1500 ] 2>/dev/null; then
	rm -f "$data/made"
fi
if ! [ -f "$data/made" ]; then
	rm -rf "$data"
	"$bin/initdb" -D "$data" -A trust -U roadbed -E UTF8 --locale=C --no-sync 5>&- || {
		echo "initdb refused" >failed
		exit 1
	}
	: >"$data/made"
fi
: >log
"$bin/postgres" -D "$data" -k "$dir" -c listen_addresses= -c fsync=off -c synchronous_commit=off \
	-c full_page_writes=off -c max_connections=800 -c shared_buffers=128MB -c wal_level=minimal \
	-c max_wal_senders=0 -c autovacuum_naptime=10s -c max_wal_size=256MB 5>&- &
server=$!
trap 'kill -INT $server; wait $server; exit 0' TERM INT HUP

idle=0
while kill -0 $server 2>/dev/null; do
	sleep 5 5>&- &
	wait $!
	if flock -n users true; then idle=$((idle + 5)); else idle=0; fi
	if [ $idle -ge 60 ] && exec 6>>start && flock -n 6; then
		# Nobody can be looking for the server now; the last look decides.
		if flock -n users true; then
			kill -INT $server
			wait $server
			exit 0
		fi
		exec 6>&-
		idle=0
	fi
done
wait $server
echo "the server ended with $?" >failed
exit 1
