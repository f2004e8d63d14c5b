#!/bin/sh
# The Debian packages of the cluster tests: installed where they are missing and root may, else named in one line.
set -eu
PATH=$PATH:/usr/sbin:/sbin
missing=
command -v slurmctld >/dev/null && command -v slurmd >/dev/null && command -v sbatch >/dev/null || missing=slurm-wlm
command -v munged >/dev/null || missing="$missing munge"
command -v openssl >/dev/null || missing="$missing openssl"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || missing="$missing postgresql"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "test-cluster: needs$(printf ' %s' $missing): install with \`sudo apt-get install $(echo $missing)\`" >&2
	exit 2
fi
echo "test-cluster: installing $(echo $missing)"
apt-get update -qq
# No service is to be started by the installation: the tests start their own, on loopback.
printf '#!/bin/sh\nexit 101\n' >/tmp/strata-no-services.$$
chmod +x /tmp/strata-no-services.$$
made=
[ -e /usr/sbin/policy-rc.d ] || { mv /tmp/strata-no-services.$$ /usr/sbin/policy-rc.d; made=yes; }
code=0
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null || code=$?
[ -z "$made" ] || rm /usr/sbin/policy-rc.d
rm -f /tmp/strata-no-services.$$
exit $code
