# /etc/csh.cshrc
umask 022
