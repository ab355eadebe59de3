#!/bin/sh
# Run once by PostgreSQL's image on an empty volume: the roles that own nothing, which web servers and workers connect as.
set -eu
psql --set=ON_ERROR_STOP=1 --set=web="$LOGBOOK_APP_PASSWORD" --set=worker="$LOGBOOK_WORKER_PASSWORD" \
    --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
CREATE ROLE logbook_app LOGIN PASSWORD :'web';
CREATE ROLE logbook_worker LOGIN PASSWORD :'worker';
REVOKE ALL ON DATABASE logbook FROM PUBLIC;
GRANT CONNECT ON DATABASE logbook TO logbook_app, logbook_worker;
SQL
