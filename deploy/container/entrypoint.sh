#!/bin/sh
# One image, many roles. Each ends up as the one process of its container, so that signals reach it.
set -eu
role=${1:-web}
[ $# -eq 0 ] || shift

manage() { python /opt/almanac/manage.py "$@"; }

case $role in
    prepare)  # once before the others, at every roll-out: tables, the keys of a first day, the admin's files
        manage migrate --no-input --verbosity 0
        manage keys create
        manage collectstatic --no-input --clear --verbosity 0
        ;;
    web)      exec python /opt/almanac/manage.py serve --host 0.0.0.0 "$@" ;;
    work)     exec python /opt/almanac/manage.py work "$@" ;;
    worker)   exec celery -A deploy worker --concurrency "${WORKERS:-2}" --without-gossip --without-mingle "$@" ;;
    beat)     exec celery -A deploy beat --schedule /tmp/beat-schedule --pidfile= "$@" ;;
    manage)   exec python /opt/almanac/manage.py "$@" ;;
    *)
        echo "error: usage: '$role' is none of prepare, web, work, worker, beat, manage" >&2
        exit 2
        ;;
esac
