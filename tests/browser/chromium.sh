#!/usr/bin/env bash
# See that there is a Chromium, the system's own: from its packages where we may install them, else say how to get it.
set -euo pipefail
for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing chromium"
    apt-get update -qq >/dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null 2>&1 && exit 0
fi
echo "make test-browser needs a browser: install chromium, as in 'sudo apt-get install chromium', and try again" >&2
exit 2
