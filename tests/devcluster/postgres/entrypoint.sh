#!/bin/sh
# Makes a database at the first start, then serves it. All state, sockets too, is in PGDATA: nothing else need be writable.
set -eu
: "${POSTGRES_PASSWORD:?is not set}"
POSTGRES_USER=${POSTGRES_USER:-postgres}
POSTGRES_DB=${POSTGRES_DB:-$POSTGRES_USER}

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    new=$PGDATA.new # renamed when complete, so that a container killed meanwhile begins anew
    rm -rf "$new"
    initdb --pgdata="$new" --username="$POSTGRES_USER" --auth-local=trust --auth-host=scram-sha-256 \
        --encoding=UTF8 --locale=C.UTF-8 --no-sync --no-instructions >&2
    echo 'host all all all scram-sha-256' >>"$new/pg_hba.conf"
    pg_ctl --pgdata="$new" --wait --silent --options="-c listen_addresses='' -k $new" start >&2
    sql() { psql --host="$new" --username="$POSTGRES_USER" --set=ON_ERROR_STOP=1 --quiet --no-psqlrc "$@"; }
    # psql quotes these variables; the password goes through the environment, out of sight of `ps`.
    sql --dbname=postgres --set=user="$POSTGRES_USER" --set=db="$POSTGRES_DB" <<'SQL'
\getenv password POSTGRES_PASSWORD
ALTER ROLE :"user" PASSWORD :'password';
SELECT format('CREATE DATABASE %I', :'db') WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'db') \gexec
SQL
    for script in /docker-entrypoint-initdb.d/*.sql; do
        [ ! -e "$script" ] || sql --dbname="$POSTGRES_DB" --file="$script"
    done
    pg_ctl --pgdata="$new" --wait --silent --mode=fast stop >&2
    mv "$new" "$PGDATA"
fi
exec postgres -D "$PGDATA" -k "$PGDATA" -c listen_addresses='*' -c fsync=off "$@"
