#!/bin/sh
# blkid(8) for scripts: what is on the image's disk by its layout; UUIDs as they will be.
table=''

form=full tags='' devices='' find='' shown='' status=2
while [ $# -gt 0 ]; do
  word=$1; shift
  case $word in
    -h|--help|-V|--version) exec /usr/sbin/blkid "$word" ;;
    --output=*) form=${word#*=} ;; -o|--output) form=$1; shift ;;
    -o?*) form=${word#-o} ;;
    --match-tag=*) tags="$tags ${word#*=}" ;; -s|--match-tag) tags="$tags $1"; shift ;;
    -s?*) tags="$tags ${word#-s}" ;;
    --match-token=*) find=${word#*=} ;; -t|--match-token) find=$1; shift ;;
    --uuid=*) find=UUID=${word#*=} form=device ;; -U|--uuid) find=UUID=$1 form=device; shift ;;
    --label=*) find=LABEL=${word#*=} form=device ;; -L|--label) find=LABEL=$1 form=device; shift ;;
    -c|--cache-file|-w|-u|--usages|-n|--match-types|-O|--offset|-S|--size|-H|--hint) shift ;;
    -*) ;;
    *) devices="$devices
$word" ;;
  esac
done
find=$(printf '%s' "$find" | tr -d '"')

tag() {  # name, value: add it if it is asked for
  [ -n "$2" ] || return 0
  case " $tags " in *[!\ ]*) case " $tags " in *" $1 "*) ;; *) return 0 ;; esac ;; esac
  case $form in
    value) text="$text$2
" ;;
    export) text="$text$1=$2
" ;;
    udev) text="${text}ID_FS_$1=$2
" ;;
    *) text="$text $1=\"$2\"" ;;
  esac
}
while IFS='|' read -r device _ type _ uuid label partuuid partlabel _ _; do
  case $device in /dev/*) ;; *) continue ;; esac
  case $shown in *"
$device
"*) continue ;; esac
  if [ -n "$devices" ]; then
    is_named=''
    while IFS= read -r name; do
      case $name in
        */by-uuid/*) [ "${name##*/}" != "$uuid" ] || is_named=1 ;;
        */sda*) name=/dev/vda${name##*/sda} ;;
      esac
      [ "$name" != "$device" ] || is_named=1
    done <<END
$devices
END
    [ -n "$is_named" ] || continue
  fi
  case $find in
    '') ;;
    UUID=*) [ "${find#*=}" = "$uuid" ] || continue ;;
    LABEL=*) [ "${find#*=}" = "$label" ] || continue ;;
    TYPE=*) [ "${find#*=}" = "$type" ] || continue ;;
    PARTUUID=*) [ "${find#*=}" = "$partuuid" ] || continue ;;
    PARTLABEL=*) [ "${find#*=}" = "$partlabel" ] || continue ;;
    *) continue ;;
  esac
  text='' is_disk=''
  [ "$device" != /dev/vda ] || is_disk=1
  if [ -n "$is_disk" ]; then
    tag PTUUID "$uuid"; tag PTTYPE "$type"
  else
    tag LABEL "$label"; tag UUID "$uuid"; tag TYPE "$type"
    tag PARTLABEL "$partlabel"; tag PARTUUID "$partuuid"
  fi
  [ -n "$text" ] || continue
  status=0 shown="$shown
$device
"
  case $form in
    device) printf '%s\n' "$device" ;;
    value|udev) printf '%s' "$text" ;;
    export) printf 'DEVNAME=%s\n%s\n' "$device" "$text" ;;
    *) printf '%s:%s\n' "$device" "$text" ;;
  esac
done <<END
$table
END
exit $status
