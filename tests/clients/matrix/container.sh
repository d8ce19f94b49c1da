#!/bin/sh
# What a container runtime does, without one: in new mount and pid namespaces (and the network namespace that the caller entered), makes an
# overlay of the host's root the new root, mounts a /proc of its own, and runs the command there.
# Usage: unshare --mount --pid --fork container.sh FOLDER COMMAND ARGS
set -eu
folder=$1
shift
mount -t tmpfs tmpfs "$folder"
mkdir "$folder/upper" "$folder/work" "$folder/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" "$folder/root"
mount -t proc proc "$folder/root/proc"
mount --rbind /dev "$folder/root/dev"
mount --rbind /sys "$folder/root/sys"
cd "$folder/root"
mkdir -p old-root
pivot_root . old-root
umount -l /old-root
exec "$@"
