#!/usr/bin/env bash
# Two machines on this one: each has processes, network, host name, home and /tmp/ray of its own,
# and an ssh server. So Ray's launcher can do there what it does to real ones (`ray stop` ends all
# Ray that it sees), and nothing of it is left when this script ends.
#   machines.sh FOLDER COMMAND...    run COMMAND where 10.77.0.2 and 10.77.0.3 are reached by ssh
# FOLDER/key is the key; FOLDER/laptop, FOLDER/head and FOLDER/worker hold homes and Ray's files.
set -euo pipefail

if [ "$1" != --inside ]; then
  exec unshare --pid --fork --kill-child --mount-proc --mount --net --uts "$0" --inside "$@"
fi
shift
folder=$(realpath "$1")
shift

# $1: name. Programs look the home folder up in /etc/passwd as often as in HOME.
own_home() {
  awk -F: -v OFS=: -v user="$(id -un)" -v home="$folder/$1/home" \
    '$1 == user { $6 = home; $7 = "/bin/bash" } { print }' /etc/passwd > "$folder/$1/passwd"
  mount --bind "$folder/$1/passwd" /etc/passwd
  mount --bind "$folder/$1/ray" /tmp/ray
  hostname "$1"
  export HOME="$folder/$1/home"
}

serve() {
  own_home "$1"
  exec /usr/sbin/sshd -D -e -f /dev/null -h "$folder/host_key" -o PidFile=none \
    -o StrictModes=no -o PermitRootLogin=yes -o PasswordAuthentication=no -o UseDNS=no
}

for name in laptop head worker; do
  mkdir -p "$folder/$name/home/.ssh" "$folder/$name/ray"
  touch "$folder/$name/home/.bashrc"
done
mkdir -p /tmp/ray
mount -t tmpfs tmpfs /run
mkdir /run/sshd
printf '%s:*:20000:0:99999:7:::\n' "$(id -un)" sshd > "$folder/shadow"
mount --bind "$folder/shadow" /etc/shadow
ssh-keygen -q -t ed25519 -N '' -f "$folder/key"
ssh-keygen -q -t ed25519 -N '' -f "$folder/host_key"

ip link set lo up
ip link add bridge type bridge
ip address add 10.77.0.1/24 dev bridge
ip link set bridge up
number=2
for name in head worker; do
  cp "$folder/key.pub" "$folder/$name/home/.ssh/authorized_keys"
  ip netns add "$name"
  ip link add "$name" type veth peer name eth0 netns "$name"
  ip link set "$name" master bridge up
  ip -n "$name" link set lo up
  ip -n "$name" address add "10.77.0.$number/24" dev eth0
  ip -n "$name" link set eth0 up
  # Ray learns its address from the default route.
  ip -n "$name" route add default via 10.77.0.1
  export folder
  export -f own_home serve
  ip netns exec "$name" unshare --pid --fork --kill-child --mount-proc --mount --uts \
    bash -euc "serve $name" > "$folder/$name/sshd.log" 2>&1 &
  number=$((number + 1))
done
own_home laptop
for address in 10.77.0.2 10.77.0.3; do
  for _ in $(seq 100); do
    (exec 3<> "/dev/tcp/$address/22") 2> /dev/null && break
    sleep 0.1
  done
done
"$@"
