#!/usr/bin/env bash
# Start PostgreSQL, Redis and RabbitMQ on their standard local ports where they do not answer yet.
set -u
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
wait_for() { for _ in $(seq 60); do answers "$1" && return 0; sleep 1; done; echo "error: $2 does not answer on port $1" >&2; return 1; }

if ! answers 5432; then
    version=$(ls /etc/postgresql 2>/dev/null | tail -n 1)
    hba="/etc/postgresql/$version/main/pg_hba.conf"
    # Test data only, loopback only: no password for anybody on this machine.
    [ -w "$hba" ] && sed -i -E 's/^(host\s+all\s+all\s+(127\.0\.0\.1\/32|::1\/128)\s+).*/\1trust/' "$hba"
    pg_ctlcluster --skip-systemctl-redirect "$version" main start
fi
if ! answers 6379; then redis-server --daemonize yes --bind 127.0.0.1 --port 6379 --save "" --appendonly no >/dev/null; fi
if ! answers 5672; then rabbitmq-server -detached >/dev/null 2>&1; fi
wait_for 5432 PostgreSQL && wait_for 6379 Redis && wait_for 5672 RabbitMQ
