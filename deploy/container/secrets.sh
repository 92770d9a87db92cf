#!/bin/sh
# Makes the secrets that compose.yaml names, each once; those that are there stay as they are.
# The folder is for its owner only. The files in it can be read by the containers' own users, who are not you.
set -eu
umask 077
folder=${1:-$(dirname "$0")/secrets}
mkdir -p "$folder"
chmod 700 "$folder"

random() { head -c 30 /dev/urandom | base64 | tr '+/' '-_'; }
keep() { # NAME: from standard input, unless it is there
    if [ -s "$folder/$1" ]; then return; fi
    cat > "$folder/$1.new"
    chmod 644 "$folder/$1.new"
    mv "$folder/$1.new" "$folder/$1"
}

random | keep key_passphrase
random | keep secret_key
random | keep postgres_password
random | keep s3_secret
printf 'postgres://almanac:%s@db:5432/almanac\n' "$(cat "$folder/postgres_password")" | keep database_url
printf '[default]\naws_access_key_id = almanac\naws_secret_access_key = %s\n' "$(cat "$folder/s3_secret")" |
    keep aws_credentials
printf '{"identities": [{"name": "almanac", "credentials": [{"accessKey": "almanac", "secretKey": "%s"}], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}, {"name": "anonymous", "actions": ["Read:almanac"]}]}\n' \
    "$(cat "$folder/s3_secret")" | keep s3.json
echo "secrets are in $folder: back up key_passphrase apart from the backups of the keys" >&2
