#!/bin/busybox sh
# shellcheck shell=dash
# PID 1 of the Xen host that tests run on: starts xenstored and xenconsoled, then the guest that
# /guest/start names, and copies the guest's console to its own.
/bin/busybox --install -s /bin
export PATH=/usr/lib/xen-4.17/bin:/usr/sbin:/usr/bin:/sbin:/bin
mkdir -p /proc /sys /dev /run/lock /tmp /var/lib/xen /var/log/xen/console
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
# udev's job elsewhere; xl's scripts need them.
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin
[ -e /var/run ] || ln -s /run /var/run
mkdir -p /var/run/xen /var/lock
for module in /modules/*.ko; do
    insmod "$module"
done
mount -t xenfs xenfs /proc/xen

xenstored
xen-init-dom0
xenconsoled --log=guest --log-dir=/var/log/xen/console
echo "dom0: ready"

cd /guest || exit
if sh ./start; then
    name=$(xl list | tail -n 1 | cut -d ' ' -f 1)
    echo "dom0: started $name"
    tail -n +1 -F "/var/log/xen/console/guest-$name.log" &
    while xl domid "$name" > /dev/null 2>&1; do
        sleep 2
    done
    echo "dom0: gave up: $name ended"
else
    tail -n 30 /var/log/xen/*.log
    echo "dom0: gave up: the guest did not start"
fi
exec sleep 1000000
