#!/bin/sh
# Run once by PostgreSQL's image on an empty volume: the role that owns nothing, as which the service connects.
set -eu
psql --set=ON_ERROR_STOP=1 --set=password="$LOGBOOK_APP_PASSWORD" --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
CREATE ROLE logbook_app LOGIN PASSWORD :'password';
REVOKE ALL ON DATABASE logbook FROM PUBLIC;
GRANT CONNECT ON DATABASE logbook TO logbook_app;
SQL
